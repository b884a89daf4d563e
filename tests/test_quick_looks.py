"""What is looked at quickly gives the very answer of the slow way, for any text."""

from __future__ import annotations

import re
import sqlite3
from unittest.mock import patch

from hypothesis import given, settings
from hypothesis import strategies as st

from runner.domain.pieces import pieces
from runner.domain.sql import first_words, postgres_statements, sqlite_statements
from runner.sources.guard import is_suspect
from verify.statements import single_statement

_WORDS = re.findall(
    r"\w+", "BEGIN START COMMIT END ROLLBACK ABORT SAVEPOINT RELEASE PREPARE ATTACH DETACH PRAGMA VACUUM COPY"
)
_SLOW_SUSPECT = re.compile(rf"(?:^|[;/])(?:[^\S\n]|\ufeff)*(?:{'|'.join(_WORDS)})|\\", re.IGNORECASE | re.MULTILINE)
_SLOW_EDGE = re.compile(r"'[^']*'|\"[^\"]*\"|`[^`]*`|\[[^\]]*\]|--[^\n]*|/\*.*?(?:\*/|\Z)|;", re.DOTALL)
_SLOW_LEAD = re.compile(r"(?:\s+|--[^\n]*(?:\n|\Z)|/\*.*?(?:\*/|\Z)|;)+", re.DOTALL)

_SUSPECTS = st.lists(
    st.sampled_from([*_WORDS, *map(str.lower, _WORDS), *" \n\t\r;/\\-'x", "\u00a0", "\u017f", "\u0130", "\ufeff"]),
    max_size=9,
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


@given(st.lists(st.sampled_from(["SELECT", " ", ";", "\n", "--", "/*", "*/", "'", '"', "$$", "x", "E'"]), max_size=8))
@settings(max_examples=2000)
def test_a_check_is_told_apart_as_the_slow_way_does(parts: list[str]) -> None:
    text = "".join(parts)
    word, sql, place = single_statement(f"/**/{text}")  # a comment like this one is looked at slowly
    sql, place = sql.removeprefix("/**/"), None if place is None else place - len("/**/")
    assert single_statement(text) == (word, sql.strip() if place is None else sql, place)


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


_TEXTS = st.lists(
    st.sampled_from(
        [
            *(
                "INSERT INTO t VALUES (1, 'a;b');\n",
                'insert into "q;" values (-1);',
                "DELETE FROM t -- all; of it\n;\n",
            ),
            *("INSERT INTO t VALUES (E'it\\'s;');\n", "INSERT INTO t VALUES ($$a;'b$$);\n", "/* a; b */ SELECT 1;\n"),
            *("CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT 1; SELECT 2; END;\n", "-- ';\n", ";", "\n", "é"),
            *("CREATE RULE r AS ON INSERT TO t DO ALSO (DELETE FROM t; UPDATE t SET a = 1);\n", "UPDATE t SET a = 1;"),
        ]
    ),
    max_size=12,
)


@given(_TEXTS, st.integers(1, 80), st.sampled_from([20, 100_000]))
@settings(max_examples=1000)
def test_pieces_are_the_whole_text_and_cut_no_statement(parts: list[str], size: int, window: int) -> None:
    text = "".join(parts)
    with patch("runner.domain.pieces._WINDOW", window):
        found = [text[begin:end] for begin, end in pieces(text, size)]
    assert "".join(found) == text
    whole = [statement.text for statement in postgres_statements(text)]
    assert [statement.text for piece in found for statement in postgres_statements(piece)] == whole
