"""What is looked at quickly gives the very answer of the slow way, for any text."""

from __future__ import annotations

import re
import sqlite3

from hypothesis import given, settings
from hypothesis import strategies as st

from runner.domain.sql import first_words, sqlite_statements
from runner.sources.guard import is_suspect

_WORDS = re.findall(
    r"\w+", "BEGIN START COMMIT END ROLLBACK ABORT SAVEPOINT RELEASE PREPARE ATTACH DETACH PRAGMA VACUUM COPY"
)
_SLOW_SUSPECT = re.compile(
    rf"^[^\S\n]*(?:{'|'.join(_WORDS)})|[;/][^\S\n]*(?:{'|'.join(_WORDS)})|\\", re.IGNORECASE | re.MULTILINE
)
_SLOW_EDGE = re.compile(r"'[^']*'|\"[^\"]*\"|`[^`]*`|\[[^\]]*\]|--[^\n]*|/\*.*?(?:\*/|\Z)|;", re.DOTALL)
_SLOW_LEAD = re.compile(r"(?:\s+|--[^\n]*(?:\n|\Z)|/\*.*?(?:\*/|\Z)|;)+", re.DOTALL)

_SUSPECTS = st.lists(
    st.sampled_from([*_WORDS, *map(str.lower, _WORDS), *" \n\t\r;/\\-'x", "\u00a0", "\u017f", "\u0130"]), max_size=9
)
_PIECES = st.lists(
    st.sampled_from(
        [
            *(
                "CREATE TRIGGER t ",
                "CREATE TEMP TRIGGER ",
                "CREATE ",
                "TRIGGER ",
                "BEGIN ",
                "END",
                "END;",
                "CASE ",
                "é",
            ),
            *(";", ";\n", "; ", "'a;b'", "'it''s;'", '"q;"', "[x;y]", "`b;`", "-- c;\n", "/* ;*/", "SELECT 1", "\n"),
            *("'", '"', "[", "/*", "--"),
        ]
    ),
    max_size=16,
)


@given(_SUSPECTS)
@settings(max_examples=2000)
def test_the_look_for_a_forbidden_word_finds_what_the_slow_one_finds(parts: list[str]) -> None:
    text = "".join(parts)
    assert is_suspect(text) == bool(_SLOW_SUSPECT.search(text))


@given(_PIECES)
@settings(max_examples=2000)
def test_statements_end_where_the_slow_way_ends_them(parts: list[str]) -> None:
    text = "".join(parts)
    assert [statement.text for statement in sqlite_statements(text)] == list(_slow_statements(text))


def _slow_statements(text: str) -> list[str]:
    """At the first semicolon outside of what can hide one; of a trigger at the one after its END."""
    found, position = [], 0
    while position < len(text):
        lead = _SLOW_LEAD.match(text, position)
        start = lead.end() if lead else position
        if start >= len(text):
            break
        position = _slow_end(text, start)
        found.append(text[start:position])
    return found


def _slow_end(text: str, start: int) -> int:
    words = [word for word in first_words(text[start:], "sqlite", 3) if word != "TEMP"]
    trigger = first_words(text[start:], "sqlite", 1) == ["CREATE"] and words[:2] == ["CREATE", "TRIGGER"]
    clause = start
    for edge in _SLOW_EDGE.finditer(text, start):
        if edge.group() != ";":
            continue
        closes = first_words(text[clause : edge.start()], "sqlite", 2) == ["END"]
        if not trigger or (closes and sqlite3.complete_statement(text[start : edge.end()])):
            return edge.end()
        clause = edge.end()
    return len(text)
