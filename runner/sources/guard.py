"""What a migration may not do, as far as the text shows it before the first statement runs."""

from __future__ import annotations

import re
from itertools import pairwise

from runner.domain.migration import Dialect, Script
from runner.domain.sql import first_words, line_of, statements, tokens
from runner.errors import FolderError
from runner.sources.refusal import Refuse, stop

# A quick look for a word that could matter; only then are the statements told apart. A statement begins with the text,
# or behind one of three characters. Each has a pattern of its own, because a regular expression goes through a large
# file quickly only where it can look for a single character, and then has few others to compare the next one with.
# SQLite takes a byte order mark for white space.
_WORD = "(?i:BEGIN|START|COMMIT|END|ROLLBACK|ABORT|SAVEPOINT|RELEASE|PREPARE|ATTACH|DETACH|PRAGMA|VACUUM|COPY)"
_FIRST = "(?=[BSCERPADVbscerpadv])"
_BLANKS = r"[\t\x0b\x0c\r\x1c-\x1f \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\ufeff]*+"  # \s but \n
_SUSPECT_FIRST = re.compile(f"{_BLANKS}{_WORD}")
_SUSPECT = {mark: re.compile(f"{mark}{_BLANKS}{_FIRST}{_WORD}") for mark in "\n;/"}

_CONTROL = {"BEGIN", "COMMIT", "END", "ROLLBACK", "ABORT", "SAVEPOINT", "RELEASE"}
_ELSEWHERE = {"ATTACH", "DETACH"}
#: A file's own PRAGMA foreign_keys does nothing inside a transaction; these change the file or the connection under us.
_PRAGMAS = {
    "FOREIGN_KEYS",
    "JOURNAL_MODE",
    "SYNCHRONOUS",
    "WRITABLE_SCHEMA",
    "LOCKING_MODE",
    "QUERY_ONLY",
    "IGNORE_CHECK_CONSTRAINTS",
    "LEGACY_ALTER_TABLE",
}


def refuse_transaction_control(script: Script, dialect: Dialect, refuse: Refuse = stop, *, transactional: bool) -> None:
    """A migration is one transaction, the runner's: a file that ends it, or leaves it, could not be taken back.

    One that runs outside a transaction may do what cannot be done inside one, and still not begin or end one.
    """
    if not script.suspect:
        return
    for statement in statements(script.text, dialect):
        problem = _problem(statement.text, dialect, transactional)
        if problem:
            refuse(
                FolderError(
                    problem[0],
                    code="FORBIDDEN_STATEMENT",
                    hint=problem[1],
                    file=script.path,
                    line=line_of(script.text, statement.start),
                    statement=statement.text,
                )
            )


def is_suspect(text: str) -> bool:
    """Could a text hold what a migration may not do? A quick look, at the places where a statement can begin."""
    if "\\" in text or _SUSPECT_FIRST.match(text):
        return True
    return any(mark in text and pattern.search(text) for mark, pattern in _SUSPECT.items())


def _problem(text: str, dialect: Dialect, transactional: bool) -> tuple[str, str] | None:
    words = first_words(text, dialect, 3)
    first = words[0] if words else ""
    if first in _CONTROL or words[:2] in (["START", "TRANSACTION"], ["PREPARE", "TRANSACTION"]):
        return (
            f"{first} in a migration: it would end or split the transaction that the migration runs in",
            "Remove it. A statement that cannot run in a transaction stands alone, under '-- transactional: false'.",
        )
    if dialect == "sqlite" and first in _ELSEWHERE:
        return f"{first} in a migration: it would reach into another database", "Remove it."
    if dialect == "postgres" and any(token.text == "\\" for token in tokens(text, dialect)):
        return "a command of psql's, not SQL", "Write it in SQL."
    if dialect == "postgres" and first == "COPY" and _is_from_stdin(text):
        return "COPY FROM stdin has no input here", "Write INSERT statements."
    if not transactional:
        return None
    if dialect == "sqlite" and first == "PRAGMA" and (pragma := _pragma(text)) in _PRAGMAS:
        return (
            f"PRAGMA {pragma.lower()} in a migration: it has no effect in a transaction, or outlives it",
            "Remove it. Foreign keys are off while a migration runs, and checked before it commits.",
        )
    if first == "VACUUM":
        return "VACUUM cannot run in a transaction", "Give it a file of its own, under '-- transactional: false'."
    return None


def _is_from_stdin(text: str) -> bool:
    words = [token.text.upper() for token in tokens(text, "postgres") if token.kind != "comment"]
    return ("FROM", "STDIN") in pairwise(words)


def _pragma(text: str) -> str:
    """The name of a PRAGMA in upper case, without its schema; SQLite takes it in any kind of quotes."""
    words = [token.text for token in tokens(text, "sqlite") if token.kind != "comment"]
    name = words[3] if words[2:3] == ["."] and len(words) > 3 else words[1] if len(words) > 1 else ""
    return name.strip("\"'`[]").split(".")[-1].upper()
