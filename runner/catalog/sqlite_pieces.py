"""Reading the SQL that SQLite keeps of each object: what no pragma tells (checks, names, collations, expressions).

The text is what the user wrote, as edited by ALTER TABLE. It is brought into one form, so that quotes, case, comments
and white space make no difference: words in lower case, names without quotes where they need none.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from runner.domain.sql import tokens

_PLAIN = re.compile(r"[a-z_][a-z0-9_$]*")
_OPERATOR = re.compile(r"->>|->|\|\||<=|>=|<>|!=|==|<<|>>|.")


@dataclass(frozen=True)
class Piece:
    """One token in its one form. ``word``: it was written without quotes, and may be a keyword."""

    text: str
    word: bool = False


def pieces(text: str) -> list[Piece]:
    """The tokens of a text without comments, each in its one form."""
    found: list[Piece] = []
    for token in tokens(text, "sqlite"):
        if token.kind == "comment":
            continue
        if token.kind == "word":
            parts = [token.text.lower()] if token.text[0].isdigit() else _dotted(token.text.lower())
            found += [Piece(part, part != ".") for part in parts]
        elif token.kind == "name":
            found.append(Piece(_unquoted(token.text)))
        elif token.kind == "operator":
            found += [Piece(part) for part in _OPERATOR.findall(token.text)]
        else:
            found.append(Piece(token.text))
    return found


def joined(items: Sequence[Piece]) -> str:
    """The pieces as SQL, with white space where it belongs."""
    text = ""
    for before, piece in zip([None, *items], items, strict=False):
        tight = before is None or piece.text in (",", ")", ".", ";") or before.text in ("(", ".")
        call = before is not None and piece.text == "(" and before.word and before.text not in _SPACED
        text += piece.text if tight or call else f" {piece.text}"
    return text


_SPACED = {"and", "or", "not", "in", "values", "check", "as", "when", "then", "else", "between", "like", "is", "on"}
_SPACED |= {"select", "from", "where", "set", "exists", "join", "union", "all", "having", "case", "into", "over"}


def one_form(text: str) -> str:
    """A text in its one form."""
    return joined(pieces(text))


def default_text(text: str | None) -> str | None:
    """The default of a column, without parentheses around it; None for none, and for NULL, which is the same."""
    if text is None:
        return None
    items = pieces(text)
    while len(items) > 1 and items[0].text == "(" and closing(items, 0) == len(items) - 1:
        items = items[1:-1]
    if len(items) == 1 and items[0].word:
        return None if items[0].text == "null" else items[0].text.upper()
    if len(items) == 1 and text.strip("( )").startswith('"'):
        inner = text.strip("( )")[1:-1].replace('""', '"').replace("'", "''")
        return f"'{inner}'"  # SQLite takes it for a string here
    if items and items[0].text == "+":
        items = items[1:]
    return "".join(piece.text for piece in items) if len(items) == 2 else joined(items)


def split(items: Sequence[Piece]) -> Iterator[list[Piece]]:
    """The parts between the commas that stand in no parentheses."""
    part: list[Piece] = []
    depth = 0
    for piece in items:
        depth += (piece.text == "(") - (piece.text == ")")
        if piece.text == "," and depth == 0:
            yield part
            part = []
        else:
            part.append(piece)
    if part:
        yield part


def closing(items: Sequence[Piece], start: int) -> int:
    """Where the parenthesis that opens at ``start`` closes."""
    depth = 0
    for number in range(start, len(items)):
        depth += (items[number].text == "(") - (items[number].text == ")")
        if depth == 0:
            return number
    return len(items)


def _dotted(text: str) -> list[str]:
    parts: list[str] = []
    for part in text.split("."):
        parts += [".", part] if parts else [part]
    return [part for part in parts if part]


def _unquoted(text: str) -> str:
    """A quoted name without its quotes, where it needs none."""
    close = text[-1] if text[0] != "[" else "]"
    inner = text[1:-1].replace(close * 2, close) if text[0] != "[" else text[1:-1]
    lower = inner.lower()
    doubled = lower.replace('"', '""')
    return lower if _PLAIN.fullmatch(lower) else f'"{doubled}"'


def bare(text: str) -> str:
    """A piece that is a name, as the name itself."""
    return text[1:-1].replace('""', '"') if text.startswith('"') else text
