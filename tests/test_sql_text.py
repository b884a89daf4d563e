"""Reading SQL without running it: the splitter against SQLite itself, and what makes two texts the same."""

from __future__ import annotations

import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing
from types import FrameType
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from runner.domain.migration import Dialect
from runner.domain.sql import (
    first_words,
    has_statement,
    line_of,
    postgres_statements,
    same_tokens,
    sqlite_statements,
    tokens,
)

DIALECTS: tuple[Dialect, ...] = ("sqlite", "postgres")


def texts(statements: Iterator[object]) -> list[str]:
    return [str(getattr(statement, "text", "")) for statement in statements]


def as_sqlite_splits(script: str) -> list[str]:
    """The statements that SQLite itself finds when it is given the whole text, one after the other."""
    seen: list[str] = []
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        connection.executescript("CREATE TABLE t (a, b, c); CREATE TABLE log (x);")
        connection.set_trace_callback(seen.append)
        connection.executescript(script)
    # The statements inside a trigger are traced too, as comments; what stands before a statement is not part of ours.
    return [text for text in map(without_lead, seen) if text]


def without_lead(text: str) -> str:
    while True:
        text = text.lstrip(" \t\n;")
        if text.startswith("--"):
            text = text.partition("\n")[2]
        elif text.startswith("/*"):
            text = text.partition("*/")[2]
        else:
            return text


TRIGGER = "CREATE TRIGGER r AFTER INSERT ON t BEGIN INSERT INTO log VALUES (1); END;"

NASTY = [
    "SELECT 1;",
    "SELECT 1",
    "SELECT 1; SELECT 2",
    "SELECT 1;\nSELECT 2;\n",
    "SELECT 1;SELECT 2;;;SELECT 3;",
    ";;\n; SELECT 1;",
    "SELECT 'a;b'; SELECT 'c';",
    "SELECT 'it''s; one'; SELECT 2;",
    "SELECT ''';'''; SELECT 2;",
    "SELECT 'C:\\'; SELECT 2;",
    'SELECT "a;b" FROM (SELECT 1 AS "a;b"); SELECT 2;',
    'SELECT 1 AS "x"";y"; SELECT 2;',
    "SELECT 1 AS [a;b]; SELECT 2;",
    "SELECT 1 AS [it's]; SELECT 'b';",
    "SELECT 1 AS `a;b`; SELECT 2;",
    "SELECT 'one;\ntwo;\nthree;\n';\nSELECT 2;\n",
    "-- why; not\nSELECT 1;\n-- and; that's all\n",
    "/* why; not */ SELECT 1; /* it's; */ SELECT 2;",
    "SELECT 1 -- one; 'two\n, 2;\nSELECT 3;",
    "SELECT 1 /* one; ' */ , 2; SELECT 3;",
    "SELECT 1 /* outer /* inner */; SELECT 2;",
    "SELECT 4/2; SELECT 4*2; SELECT 4-2;",
    "SELECT 1 - -1; SELECT 1;",
    "SELECT 1; -- the end",
    "SELECT 1; /* the end",
    "SELECT CASE WHEN 1 THEN 2 END; SELECT 2;",
    "CREATE TABLE begin (end INTEGER); SELECT 2;",
    "CREATE TABLE trigger (x TEXT DEFAULT ';'); SELECT 2;",
    f"{TRIGGER} SELECT 2;",
    f"{TRIGGER}\nDROP TRIGGER r; SELECT 2;",
    f"{TRIGGER}\nDROP TRIGGER r; -- it was there\nSELECT 2;\n",
    f"{TRIGGER}\nDROP TRIGGER IF EXISTS r;SELECT 2",
    TRIGGER.replace("CREATE", "CREATE TEMP").replace("; ", ";\n") + "\nSELECT 2;",
    TRIGGER.replace("CREATE", "create temporary") + " SELECT 2;",
    TRIGGER.replace("CREATE", "/* ; */ CREATE /* ; */") + " SELECT 2;",
    TRIGGER.replace("TRIGGER", "TRIGGER -- ;\n IF NOT EXISTS") + " SELECT 2;",
    TRIGGER.replace(" END;", "\n/* END; */ -- END;\nEND /* ; */ -- ;\n;") + "SELECT 2;",
    TRIGGER.replace("(1)", "('; END;')") + " SELECT 2;",
    TRIGGER.replace("(1)", "(CASE WHEN 1 THEN CASE WHEN 2 THEN 3 END ELSE 4 END)") + " SELECT 2;",
    TRIGGER.replace("VALUES (1)", "SELECT CASE WHEN 1 THEN 2 END") + " SELECT 2;",
    TRIGGER.replace("INSERT INTO log", "UPDATE t SET a = CASE WHEN 1 THEN 2 END; INSERT INTO log") + "SELECT 2;",
    TRIGGER.replace("AFTER INSERT", "AFTER UPDATE OF a") + "SELECT 2;",
    TRIGGER.replace("BEGIN", "WHEN NEW.a = 'x;' BEGIN") + "SELECT 2;",
    TRIGGER.replace(" r ", ' "r;" ') + " SELECT 2;",
    TRIGGER.replace(" r ", " [END;] ") + " SELECT 2;",
    TRIGGER.replace(" END;", "END") + "",
    TRIGGER.replace("CREATE TRIGGER r", "CREATE TRIGGER a.r").replace("a.r", "main.r") + " SELECT 2;",
    "INSERT INTO t VALUES (1, 2, 3);\nINSERT INTO t VALUES ('x;\n', x'00', 1.5e3);\n",
    "WITH end AS (SELECT 1) SELECT * FROM end; SELECT 2;",
]


@pytest.mark.parametrize("script", NASTY)
def test_sqlite_statements_are_those_that_sqlite_finds(script: str) -> None:
    found = list(sqlite_statements(script))
    ours = [statement.text for statement in found]
    assert [text.rstrip(";\n ") for text in ours] == [text.rstrip(";\n ") for text in as_sqlite_splits(script)]
    for statement in found:
        assert script[statement.start : statement.start + len(statement.text)] == statement.text


@pytest.mark.parametrize("script", NASTY)
def test_one_by_one_they_do_what_the_whole_does(script: str) -> None:
    def dump(scripts: list[str]) -> list[str]:
        with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
            connection.executescript("CREATE TABLE t (a, b, c); CREATE TABLE log (x);")
            for one in scripts:
                connection.execute(one).fetchall()
            return list(connection.iterdump())

    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        connection.executescript("CREATE TABLE t (a, b, c); CREATE TABLE log (x);")
        connection.executescript(script)
        expected = list(connection.iterdump())
    assert dump(texts(sqlite_statements(script))) == expected


def by_the_rule(text: str) -> list[str]:
    """SQLite's rule applied to the letter, in quadratic time: a statement ends where one is complete."""
    found, rest = [], without_lead(text)
    while rest:
        end = next(
            (at for at in range(len(rest)) if rest[at] == ";" and sqlite3.complete_statement(rest[: at + 1])), None
        )
        one, rest = (rest, "") if end is None else (rest[: end + 1], rest[end + 1 :])
        found.append(one)
        rest = without_lead(rest)
    return found


PIECES = st.sampled_from(
    [
        *("SELECT", "CREATE", "TRIGGER", "TEMP", "TABLE", "BEGIN", "END", "CASE", "WHEN", "x", "1", "DROP"),
        *("'a;b'", "''", '"q;"', "`q;`", "[q;]", "-- c;\n", "/* c; */", "/* ' */", "-- it's\n", "'END;'"),
        *(";", ";", ";\n", "; ", "\n", " ", ",", "(", ")"),
    ]
)


@given(st.lists(PIECES, max_size=30).map(" ".join))
@example("CREATE TRIGGER x BEGIN ; END ; SELECT")
@example("CREATE TEMP TRIGGER x BEGIN CASE END ; END ;\n ;\n x ;\n")
@example("DROP TRIGGER x ; -- c;\n SELECT ;\n")
def test_statements_end_by_sqlites_rule(text: str) -> None:
    assert texts(sqlite_statements(text)) == by_the_rule(text)


WHOLE = [
    "SELECT 1;",
    "SELECT ';';",
    "INSERT INTO t VALUES ('it''s', 'END;');",
    "CREATE TABLE x (a TEXT DEFAULT ';', -- one;\n b);",
    'SELECT "a;" /* ; */ FROM x;',
    "DELETE FROM t WHERE a = '\n;\n';",
]
SQLITE_WHOLE = [
    *WHOLE,
    TRIGGER,
    "DROP TRIGGER r;",
    "SELECT [a;b];",
    TRIGGER.replace(" END;", "\nUPDATE t SET a = CASE WHEN b THEN ';' END;\nEND;"),
]
POSTGRES_WHOLE = [
    *WHOLE,
    "SELECT $$;$$;",
    "SELECT $a$ $b$; $$ $a$;",
    "SELECT E'it\\'s;';",
    "SELECT 1 /* /* ; */ ; */;",
    "DO $x$ BEGIN NULL; END $x$;",
    "CREATE FUNCTION f() RETURNS int LANGUAGE sql BEGIN ATOMIC SELECT 1; SELECT CASE WHEN a THEN 1 END; END;",
]
BETWEEN = st.sampled_from(["", " ", "\n", "\n\n", " -- it's; one\n", "/* ; */", "\t;;\n", "\n-- CREATE TRIGGER;\n"])


@given(st.lists(st.tuples(BETWEEN, st.sampled_from(SQLITE_WHOLE)), max_size=12), BETWEEN)
def test_joined_sqlite_statements_come_apart_again(parts: list[tuple[str, str]], tail: str) -> None:
    text = "".join(before + statement for before, statement in parts) + tail
    assert texts(sqlite_statements(text)) == [statement for _, statement in parts]


@given(st.lists(st.tuples(BETWEEN, st.sampled_from(POSTGRES_WHOLE)), max_size=12), BETWEEN)
def test_joined_postgres_statements_come_apart_again(parts: list[tuple[str, str]], tail: str) -> None:
    text = "".join(before + statement for before, statement in parts) + tail
    found = list(postgres_statements(text))
    assert [statement.text for statement in found] == [statement for _, statement in parts]
    for statement in found:
        assert text.startswith(statement.text, statement.start)


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ("SELECT 1", ["SELECT 1"]),
        ("SELECT 1 \n -- end", ["SELECT 1 \n -- end"]),
        ("SELECT $$ unfinished; SELECT 2", ["SELECT $$ unfinished; SELECT 2"]),
        ("SELECT 'C:\\'; SELECT 2;", ["SELECT 'C:\\';", "SELECT 2;"]),
        ("SELECT e'C:\\'; SELECT 2;';", ["SELECT e'C:\\'; SELECT 2;';"]),
        ("SELECT U&'\\0041;'; SELECT 2;", ["SELECT U&'\\0041;';", "SELECT 2;"]),
        ("SELECT $1; SELECT $2;", ["SELECT $1;", "SELECT $2;"]),
        ("SELECT a$b$c; SELECT $b$;$b$;", ["SELECT a$b$c;", "SELECT $b$;$b$;"]),
        ("CREATE RULE r AS ON DELETE TO t DO ALSO (SELECT 1; SELECT 2); SELECT 3;", None),
        ("SELECT /* a /* b */ ; */ 1; SELECT 2;", ["SELECT /* a /* b */ ; */ 1;", "SELECT 2;"]),
        ("SELECT 2*/* ; */3; SELECT 4--;\n;", ["SELECT 2*/* ; */3;", "SELECT 4--;\n;"]),
        ('SELECT "begin atomic" ; SELECT 2;', ['SELECT "begin atomic" ;', "SELECT 2;"]),
        ("SELECT begin FROM x; SELECT 2;", ["SELECT begin FROM x;", "SELECT 2;"]),
    ],
)
def test_postgres_statements(script: str, expected: list[str] | None) -> None:
    if expected is None:
        expected = [script.removesuffix(" SELECT 3;"), "SELECT 3;"]
    assert texts(postgres_statements(script)) == expected


def characters_read(text: str, monkeypatch: pytest.MonkeyPatch) -> int:
    """How many characters SQLite's own rule was given while a text was split."""
    read = 0

    def complete_statement(statement: str) -> bool:
        nonlocal read
        read += len(statement)
        return real(statement)

    real = sqlite3.complete_statement
    with monkeypatch.context() as patch:
        patch.setattr(sqlite3, "complete_statement", complete_statement)
        for _ in sqlite_statements(text):
            pass
    return read


@pytest.mark.parametrize(
    "piece",
    [
        "INSERT INTO t VALUES (1, 2, 3);\n",
        "INSERT INTO t VALUES (1, 2, 3); ",
        "INSERT INTO t VALUES ('a;\nb;\n', 2, 3);\n",
        TRIGGER + "\n",
        "DROP TRIGGER r; ",
        "-- one; two;\nSELECT 1;\n",
    ],
)
def test_many_statements_are_split_in_linear_time(piece: str, monkeypatch: pytest.MonkeyPatch) -> None:
    text = piece * 300
    assert characters_read(text, monkeypatch) <= 3 * len(text)


@pytest.mark.parametrize(
    "text",
    [
        "INSERT INTO t VALUES ('" + ";\n" * 3000 + "');",
        TRIGGER.replace("(1)", "('" + "; END;\n" * 2000 + "')"),
        TRIGGER.replace(
            " END;", "".join(f"\nUPDATE t SET a = CASE WHEN b THEN {n} END;" for n in range(500)) + " END;"
        ),
        "SELECT 1 /* " + ";\n" * 3000 + " */;",
    ],
    ids=["a literal", "a literal in a trigger", "a long trigger", "a comment"],
)
def test_one_long_statement_is_read_a_few_times_at_most(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert texts(sqlite_statements(text)) == [text]
    assert characters_read(text, monkeypatch) <= 3 * len(text)


def lines_run(text: str) -> int:
    """How many lines of Python run while a text is split: what a clock would measure, without one."""
    count = 0

    def tracer(frame: FrameType, event: str, argument: Any) -> Any:
        nonlocal count
        count += event == "line"
        return tracer

    before = sys.gettrace()
    sys.settrace(tracer)
    try:
        for _ in sqlite_statements(text):
            pass
    finally:
        sys.settrace(before)
    return count


@pytest.mark.parametrize("piece", ["SELECT 1;\n", "SELECT ';'; ", TRIGGER, "SELECT 1; -- one\n"])
def test_twice_the_text_is_twice_the_work(piece: str) -> None:
    assert lines_run(piece * 400) <= 2.2 * lines_run(piece * 200)


def test_a_literal_of_megabytes_is_read() -> None:
    text = "INSERT INTO t VALUES ('" + "it''s a long story; " * 40_000 + "');\n"
    for dialect in DIALECTS:
        assert len(list(tokens(text, dialect))) == 8
    assert texts(sqlite_statements(text)) == [text.rstrip("\n")]


# What makes two texts the same.

SAME = [
    ("both", "SELECT 1;", "SELECT 1;\n"),
    ("both", "SELECT a,b FROM t;", "SELECT  a , b\n  FROM t ;"),
    ("both", "SELECT 1;", "-- why\nSELECT /* what */ 1; -- end"),
    ("both", "CREATE TABLE t (\n    a INTEGER\n);", "CREATE TABLE t(a INTEGER);"),
    ("both", "SELECT 'a' /* x */;", "SELECT 'a';"),
    ("both", "SELECT 4/2;", "SELECT 4 / 2;"),
    ("both", "SELECT a.b, 1.5;", "SELECT a.b,1.5;"),
    ("postgres", "SELECT $$a$$;", "SELECT /* /* nested */ ' */ $$a$$;"),
    ("sqlite", "SELECT [a b];", "SELECT [a b] ;-- x"),
]
DIFFERENT = [
    ("both", "SELECT 1;", "SELECT 2;"),
    ("both", "SELECT 12;", "SELECT 1 2;"),
    ("both", "SELECT ab;", "SELECT a b;"),
    ("both", "SELECT 'a b';", "SELECT 'a  b';"),
    ("both", "SELECT 'a--b';", "SELECT 'a--c';"),
    ("both", "SELECT 'a/* x */b';", "SELECT 'a/* y */b';"),
    ("both", "SELECT 'a\n';", "SELECT 'a';"),
    ("both", 'SELECT "a b";', 'SELECT "a  b";'),
    ("both", 'SELECT "a -- b";', 'SELECT "a -- c";'),
    ("both", "SELECT 1 - -1;", "SELECT 1 --1;"),
    ("both", "SELECT a > = b;", "SELECT a >= b;"),
    ("both", "SELECT 'a' 'b';", "SELECT 'a''b';"),
    ("both", "SELECT 1;", "SELECT 1;;"),
    ("both", "SELECT A;", "SELECT a;"),  # case may matter: nobody's comment was changed
    ("both", "SELECT 1; -- x", "SELECT 1; x"),
    ("postgres", "SELECT $$a -- b$$;", "SELECT $$a -- c$$;"),
    ("postgres", "SELECT $a$ x $a$;", "SELECT $b$ x $b$;"),
    ("postgres", "SELECT $a$ x  y $a$;", "SELECT $a$ x y $a$;"),
    ("postgres", "SELECT E'a\\'--b';", "SELECT E'a\\'--c';"),
    ("postgres", "/* a /* b */ SELECT 1; */ SELECT 2;", "/* a /* b */ SELECT 1; */ SELECT 3;"),
    ("sqlite", "/* a /* b */ SELECT 1;", "/* a /* b */ SELECT 2;"),
    ("sqlite", "SELECT [a--b\n];", "SELECT [a--c\n];"),
    ("sqlite", "SELECT [it's] FROM t; -- ']", "SELECT [it's] FROM u; -- ']"),
    ("sqlite", "SELECT `a--b`;", "SELECT `a--c`;"),
]


@pytest.mark.parametrize(
    ("dialect", "one", "other"),
    [(dialect, one, other) for on, one, other in SAME for dialect in DIALECTS if on in ("both", dialect)],
)
def test_comments_and_white_space_make_no_difference(dialect: Dialect, one: str, other: str) -> None:
    assert same_tokens(one, other, dialect)
    assert same_tokens(other, one, dialect)


@pytest.mark.parametrize(
    ("dialect", "one", "other"),
    [(dialect, one, other) for on, one, other in DIFFERENT for dialect in DIALECTS if on in ("both", dialect)],
)
def test_all_else_makes_a_difference(dialect: Dialect, one: str, other: str) -> None:
    assert not same_tokens(one, other, dialect)


def test_a_nested_comment_hides_more_on_postgres() -> None:
    text = "/* outer /* inner */ SELECT 1; /* */ */ SELECT 2;"
    assert [token.text for token in tokens(text, "postgres") if token.kind != "comment"] == ["SELECT", "2", ";"]
    assert [token.text for token in tokens(text, "sqlite") if token.kind == "word"] == ["SELECT", "1", "SELECT", "2"]
    assert not same_tokens(text, text.replace("SELECT 1", "SELECT 3"), "sqlite")
    assert same_tokens(text, text.replace("SELECT 1", "SELECT 3"), "postgres")


@given(st.text(alphabet="abcE';\"`[]$-/*\\ \n.1+<>", max_size=60), st.sampled_from(DIALECTS))
def test_tokens_lose_nothing_but_white_space(text: str, dialect: Dialect) -> None:
    position = 0
    for token in tokens(text, dialect):
        assert token.text and not text[position : token.start].strip()
        assert text.startswith(token.text, token.start)
        position = token.start + len(token.text)
    assert not text[position:].strip()
    assert same_tokens(text, text, dialect)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", False),
        (" \n\t", False),
        ("-- SELECT 1;", False),
        ("/* SELECT 1; */ ;;", False),
        ("; -- x\n;", False),
        ("SELECT 1", True),
        ("/* */ ; 'x'", True),
        ("/* unfinished SELECT 1;", False),
    ],
)
@pytest.mark.parametrize("dialect", DIALECTS)
def test_has_statement(text: str, expected: bool, dialect: Dialect) -> None:
    assert has_statement(text, dialect) is expected


def test_first_words() -> None:
    assert first_words("-- a\ncreate /* b */ table if not exists t", "sqlite", 3) == ["CREATE", "TABLE", "IF"]
    assert first_words("INSERT INTO 'x'", "sqlite", 3) == ["INSERT", "INTO"]
    assert first_words("(SELECT 1)", "postgres", 2) == []


def test_line_of_an_offset() -> None:
    text = "one\ntwo\n\nfour"
    assert [line_of(text, text.index(word)) for word in ("one", "two", "four")] == [1, 2, 4]
    assert (line_of(text, 0), line_of(text, len(text)), line_of(text, 3), line_of(text, 4)) == (1, 4, 1, 2)


@given(st.lists(st.sampled_from(["SELECT 1;", "SELECT\n'a\nb';", TRIGGER]), min_size=1), st.integers(0, 3))
def test_line_of_each_statement(parts: list[str], blank: int) -> None:
    text = ("\n" * (blank + 1)).join(parts)
    line = 1
    for statement, part in zip(sqlite_statements(text), parts, strict=True):
        assert line_of(text, statement.start) == line
        line += part.count("\n") + blank + 1
