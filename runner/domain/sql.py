"""Reading SQL text without running it: tokens, statements, and where they stand.

One scanner serves both dialects. It knows what hides a semicolon or a keyword (literals, quoted names, comments,
dollar quotes) and nothing of grammar. It is not used to run a file: PostgreSQL is sent the whole text, SQLite is asked
for the ends of its statements by its own rule.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass

from runner.domain.migration import Dialect

#: One token, tried in this order. Block comments are found by their start only: PostgreSQL nests them. A word is told
#: by what of ASCII it may not have; every other character may be in it, in both databases.
_TOKEN = re.compile(
    r"""
      (?P<space>\s+)
    | (?P<line_comment>--[^\n]*)
    | (?P<block_comment>/\*)
    | (?P<dollar>\$(?:[^\x00-@\[-^`{-\x7f][^\x00-/:-@\[-^`{-\x7f]*)?\$)
    | (?P<escaped>[eE]'(?:[^'\\]|\\.|'')*')
    | (?P<literal>'(?:[^']|'')*')
    | (?P<name>"(?:[^"]|"")*"|`(?:[^`]|``)*`)
    | (?P<word>[^\x00-/:-@\[-^`{-\x7f][^\x00-\#%-\x2d/:-@\[-^`{-\x7f]*)
    | (?P<end>;)
    | (?P<operator>[-+*/<>=~!@%^&|?:\#]+?(?=--|/\*|[^-+*/<>=~!@%^&|?:\#]|\Z))
    | (?P<other>.)
    """,
    re.VERBOSE | re.DOTALL,
)
#: As most files do, below lines of comments.
_BEGINS_WITH_WORD = re.compile(r"(?:\s|--[^\n]*\n)*+[A-Za-z]")
_BLOCK_EDGE = re.compile(r"/\*|\*/")


@dataclass(frozen=True)
class Token:
    """A piece of SQL text, and its offset in the file."""

    kind: str  # a group of _TOKEN; "comment" and "literal" join their variants
    text: str
    start: int


@dataclass(frozen=True)
class Statement:
    """One statement: its text without what stands before it, and the offset at which it starts in the file."""

    text: str
    start: int


def tokens(text: str, dialect: Dialect) -> Iterator[Token]:
    """Every token of ``text`` but white space. PostgreSQL nests block comments; SQLite does not."""
    position, end = 0, len(text)
    while position < end:
        match = _TOKEN.match(text, position)
        assert match is not None  # the last alternative takes any character
        kind, start, position = str(match.lastgroup), match.start(), match.end()
        if kind == "space":
            continue
        if kind == "block_comment":
            position = _block_comment_end(text, position, nested=dialect == "postgres")
            kind = "comment"
        elif kind == "dollar":
            close = text.find(match.group(), position)
            position = end if close < 0 else close + len(match.group())
            kind = "literal"
        elif dialect == "sqlite" and match.group() == "[":
            close = text.find("]", position)
            position = end if close < 0 else close + 1
            kind = "name"
        elif kind == "line_comment":
            kind = "comment"
        elif kind == "escaped":
            kind = "literal"
        yield Token(kind, text[start:position], start)


def _block_comment_end(text: str, position: int, *, nested: bool) -> int:
    depth = 1
    for edge in _BLOCK_EDGE.finditer(text, position):
        if edge.group() == "*/":
            depth -= 1
        elif nested:
            depth += 1
        if depth == 0:
            return edge.end()
    return len(text)


def same_tokens(one: str, other: str, dialect: Dialect) -> bool:
    """Do two texts say the same but for comments and white space?"""

    def bare(text: str) -> list[str]:
        return [token.text for token in tokens(text, dialect) if token.kind != "comment"]

    return bare(one) == bare(other)


def has_statement(text: str, dialect: Dialect) -> bool:
    """Is there anything to run, besides comments, white space and lone semicolons?"""
    return bool(_BEGINS_WITH_WORD.match(text)) or any(
        token.kind not in ("comment", "end") for token in tokens(text, dialect)
    )


def statements(text: str, dialect: Dialect) -> Iterator[Statement]:
    """The statements of a file, in order."""
    return sqlite_statements(text) if dialect == "sqlite" else postgres_statements(text)


def first_words(text: str, dialect: Dialect, count: int) -> list[str]:
    """The first few words of a statement in upper case, comments left out; fewer where something else comes first."""
    words: list[str] = []
    for token in tokens(text, dialect):
        if token.kind == "comment":
            continue
        if token.kind != "word" or len(words) == count:
            break
        words.append(token.text.upper())
    return words


def line_of(text: str, offset: int) -> int:
    """The line number, from 1, of an offset."""
    return text.count("\n", 0, offset) + 1


def postgres_statements(text: str) -> Iterator[Statement]:
    """The statements of a PostgreSQL file, for showing and judging them, never for running the file.

    A body written as ``BEGIN ATOMIC ... END`` (PostgreSQL 14) is kept whole, and so are a rule's actions in
    parentheses.
    """
    start: int | None = None
    depth, parentheses, previous = 0, 0, ""
    for token in tokens(text, "postgres"):
        if token.kind == "comment":
            continue
        if token.kind == "end" and depth == 0 and parentheses == 0:
            if start is not None:
                yield Statement(text[start : token.start + 1], start)
            start, previous = None, ""
            continue
        if start is None:
            start = token.start
        word = token.text.upper() if token.kind == "word" else token.text
        if previous == "BEGIN" and word == "ATOMIC":
            depth = 1
        elif depth and word == "CASE":
            depth += 1
        elif depth and word == "END":
            depth -= 1
        elif word in ("(", ")"):
            parentheses = max(0, parentheses + (1 if word == "(" else -1))
        previous = word
    if start is not None:
        yield Statement(text[start:].rstrip(), start)


# What can hide a semicolon in SQLite, or is one.
_SQLITE_EDGE = re.compile(r"'[^']*'|\"[^\"]*\"|`[^`]*`|\[[^\]]*\]|--[^\n]*|/\*.*?(?:\*/|\Z)|;", re.DOTALL)
_FEW = 4  # semicolons; in the ordinary case the first one ends the statement
_TEMPORARY = ("TEMP", "TEMPORARY")
_SQLITE_LEAD = re.compile(r"(?:\s+|--[^\n]*(?:\n|\Z)|/\*.*?(?:\*/|\Z)|;)+", re.DOTALL)


def sqlite_statements(text: str) -> Iterator[Statement]:
    """The statements of a SQLite file, told apart by ``sqlite3.complete_statement``, in linear time.

    That function reads its argument from the start at each call, so it is asked for the first few semicolons, one of
    which ends the statement in the ordinary case, and then, inside a trigger, only after each END.
    """
    position, end = 0, len(text)
    while position < end:
        lead = _SQLITE_LEAD.match(text, position)
        start = lead.end() if lead else position
        if start >= end:
            return
        position = _sqlite_statement_end(text, start)
        yield Statement(text[start:position], start)


def _sqlite_statement_end(text: str, start: int) -> int:
    semicolon = start - 1
    for _ in range(_FEW):
        semicolon = text.find(";", semicolon + 1)
        if semicolon < 0:
            break
        if sqlite3.complete_statement(text[start : semicolon + 1]):
            return semicolon + 1
    words = [word for word in first_words(text[start : start + 1000], "sqlite", 3) if word not in _TEMPORARY]
    is_trigger = words[:2] == ["CREATE", "TRIGGER"]
    clause = start
    for edge in _SQLITE_EDGE.finditer(text, start):
        if edge.group() != ";":
            continue
        # Only "; END;" can close a trigger: a CASE inside it ends with END, but not right after a semicolon.
        if not is_trigger or (
            first_words(text[clause : edge.start()], "sqlite", 2) == ["END"]
            and sqlite3.complete_statement(text[start : edge.end()])
        ):
            return edge.end()
        clause = edge.end()
    return len(text)
