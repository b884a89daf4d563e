"""A file too large to be sent whole, in pieces of whole statements: PostgreSQL's, as the scanner tells them apart."""

from __future__ import annotations

import re
from collections.abc import Iterator

from runner.domain.sql import postgres_statements

#: A statement whose end can be told without the scanner: no body, no rule, and nothing that could hide a semicolon but
#: a literal without backslashes, a quoted name and a comment to the line's end.
_PLAIN = re.compile(
    r"""
    (?: \s++ | --[^\n]*+ )*+ (?:INSERT|UPDATE|DELETE) \b
    (?: [^'"$/\\;-]++ | '[^'\\]*+' | "[^"]*+" | --[^\n]*+ | - )*+ ;
    """,
    re.VERBOSE | re.IGNORECASE,
)
_WINDOW = 100_000  # characters that the scanner is given at once


def pieces(text: str, size: int) -> Iterator[tuple[int, int]]:
    """Where each piece begins and ends; together they are the text. Each has ``size`` characters and a little more."""
    begin = position = 0
    while position < len(text):
        match = _PLAIN.match(text, position)
        position = match.end() if match else _scanned(text, position)
        if position - begin >= size:
            yield begin, position
            begin = position
    if begin < len(text):
        yield begin, len(text)


def _scanned(text: str, position: int) -> int:
    """The end of one statement; of the last one, that of the text."""
    window = _WINDOW
    while position + window < len(text):
        # What follows a whole statement shows that the window has not cut it.
        found = list(postgres_statements(text[position : position + window]))[:2]
        if len(found) == 2:
            return position + found[0].start + len(found[0].text)
        window *= 4
    found = list(postgres_statements(text[position:]))[:2]
    return position + found[0].start + len(found[0].text) if len(found) == 2 else len(text)
