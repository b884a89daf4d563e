"""Every trap on the way from SQLite to PostgreSQL: reported, or copied exactly; never lost, never changed silently."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.support.databases import Database
from tests.support.folders import footprint
from tests.support.transfers import ONE, Pair, make_pair

MakeDatabase = Callable[[str], Database]


@dataclass(frozen=True)
class Trap:
    """One value in one column of the source. ``kind``: of the finding; ``arrives``: what PostgreSQL has, as text."""

    name: str
    column: str
    value: Any
    kind: str | None = None
    arrives: str | None = None


def text(raw: bytes) -> Any:
    """Bytes that are stored as TEXT, whatever they are."""
    return ("text", raw)


TRAPS = (
    Trap("text in an integer", "number", "many", "not-a-number"),
    Trap("10.7 in an integer", "number", 10.7, "fraction"),
    Trap("beyond int4", "number", 2**31, "out-of-range"),
    Trap("the largest int4", "number", 2**31 - 1, arrives="2147483647"),
    Trap("bytes in an integer", "number", b"5", "not-a-number"),
    Trap("over-long", "name", "elevenchars", "too-long"),
    Trap("over-long in characters, not bytes", "name", "ä" * 10, arrives="ä" * 10),
    Trap("an id over 36", "id", "x" * 37, "too-long"),
    Trap("blanks beyond the length", "name", "ten chars.   ", "too-long"),
    Trap("no date at all", "at", "abc", "bad-date"),
    Trap("an empty date", "at", "", "bad-date"),
    Trap("31 February", "at", "2024-02-31 10:00:00", "bad-date"),
    Trap("29 February of no leap year", "at", "1900-02-29", "bad-date"),
    Trap("0000-00-00", "at", "0000-00-00", "bad-date"),
    Trap("before Christ", "at", "-0044-03-15", "bad-date"),
    Trap("epoch seconds", "at", 1700000000, "epoch"),
    Trap("epoch milliseconds", "at", 1700000000000, "epoch"),
    Trap("a Julian day", "at", 2460000.5, "epoch"),
    Trap("a time zone", "at", "2024-01-01T10:00:00+02:00", "time-zone"),
    Trap("Z", "at", "2024-01-01T10:00:00Z", "time-zone"),
    Trap("nine fraction digits", "at", "2024-01-01 10:00:00.123456789", "fine-fraction"),
    Trap("now", "at", "now", "bad-date"),
    Trap("tomorrow", "at", "tomorrow", "bad-date"),
    Trap("24:00", "at", "2024-01-01 24:00", "bad-date"),
    Trap("second 60", "at", "2024-01-01 10:00:60", "bad-date"),
    Trap("day or month first", "at", "01/02/2024", "bad-date"),
    Trap("infinity", "at", "infinity", "bad-date"),
    Trap("bytes in a date", "at", b"2024-01-01", "bad-date"),
    Trap("a NUL behind a date", "at", text(b"2024-01-01 10:00:00\0x"), "bad-date"),
    Trap("a year of a story", "at", "12025-01-01 00:00:00", arrives="12025-01-01 00:00:00"),
    Trap("a day alone", "at", "2024-02-29", arrives="2024-02-29 00:00:00"),
    Trap("a T", "at", "2024-01-01T10:00", arrives="2024-01-01 10:00:00"),
    Trap("six digits", "at", "2024-01-01 10:00:00.120000", arrives="2024-01-01 10:00:00.12"),
    Trap("0 as boolean", "done", 0, arrives="false"),
    Trap("1 as boolean", "done", 1, arrives="true"),
    Trap("true in words", "done", "true", arrives="true"),
    Trap("t", "done", "t", "not-a-boolean"),
    Trap("yes", "done", "yes", "not-a-boolean"),
    Trap("2 as boolean", "done", 2, "not-a-boolean"),
    Trap("an empty boolean", "done", "", "not-a-boolean"),
    Trap("maybe", "done", "maybe", "not-a-boolean"),
    Trap("NUL in text", "body", "before\0after", "nul-character"),
    Trap("NUL at the end", "body", "before\0", "nul-character"),
    Trap("NUL alone", "name", "\0", "nul-character"),
    Trap("invalid UTF-8", "body", text(b"caf\xe9"), "invalid-utf8"),
    Trap("a lone surrogate", "body", text(b"x\xed\xa0\x80y"), "invalid-utf8"),
    Trap("overlong UTF-8", "body", text(b"\xc0\x80"), "invalid-utf8"),
    Trap("the byte that stands for NULL here", "body", text(b"\xff"), "invalid-utf8"),
    Trap("bytes that are no text", "body", b"\xff\x00\xfe", "blob-in-text"),
    Trap("bytes that are text", "body", b"hello", "blob-in-text"),
    Trap("an emoji", "body", "👩‍🚀 é", arrives="👩‍🚀 é"),
    Trap("CRLF", "body", "a\r\nb\rc\n", arrives="a\r\nb\rc\n"),
    Trap("a tab", "body", "a\tb\vc\fd\be", arrives="a\tb\vc\fd\be"),
    Trap("backslashes", "body", "C:\\new\\table \\\\", arrives="C:\\new\\table \\\\"),
    Trap("\\N", "body", "\\N", arrives="\\N"),
    Trap("the end of COPY", "body", "a\n\\.\nb", arrives="a\n\\.\nb"),
    Trap("quotes", "body", "it''s \"so\" 'NULL',", arrives="it''s \"so\" 'NULL',"),
    Trap("the word NULL", "body", "NULL", arrives="NULL"),
    Trap("an empty text", "body", "", arrives=""),
    Trap("infinity as a number", "size", float("inf"), arrives="Infinity"),
    Trap("minus infinity", "size", float("-inf"), arrives="-Infinity"),
    Trap("NaN, which SQLite keeps as NULL", "size", float("nan")),
    Trap("text in a real", "size", "wide", "not-a-number"),
    Trap("0.1 + 0.2", "size", 0.1 + 0.2, arrives="0.30000000000000004"),
    Trap("1e-300", "size", 1e-300, arrives="1e-300"),
    Trap("the smallest double", "size", 5e-324, arrives="5e-324"),
    Trap("2 to the 53rd", "size", float(2**53), arrives="9.007199254740992e+15"),
    Trap("NULL in a primary key", "id", None, "null-in-not-null"),
    Trap("an orphan", "place_id", "nowhere", "orphan"),
    Trap("an empty reference", "place_id", "", "orphan"),
    Trap("a row that refers to itself", "parent_id", "trap", arrives="trap"),
    Trap("a child before its parent", "parent_id", "zulu", arrives="zulu"),
)


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> Pair:
    """A source with a few clean rows."""
    pair = make_pair(tmp_path_factory.mktemp("traps"))
    pair.run(
        "INSERT INTO place VALUES ('p', 'Harbour')",
        "INSERT INTO thing VALUES ('a', 1, 'n', 'body', '2024-01-01 00:00:00', 1, 1.5, 'p', NULL),"
        " ('A', 1, 'n', NULL, NULL, NULL, NULL, NULL, 'a'), ('zulu', NULL, NULL, NULL, NULL, 0, NULL, NULL, NULL)",
    )
    return pair


@pytest.fixture
def pair(clean: Pair, tmp_path: Path) -> Pair:
    """A copy of it."""
    return Pair(clean.root, Path(shutil.copy(clean.source, tmp_path / "source.db")))


def plant(pair: Pair, trap: Trap) -> None:
    columns = {"id": "trap"} | {trap.column: trap.value}
    values, parameters = [], []
    for value in columns.values():
        is_text = isinstance(value, tuple)
        values.append("CAST(? AS TEXT)" if is_text else "?")
        parameters.append(value[1] if is_text else value)
    pair.run(f"INSERT INTO thing ({', '.join(columns)}) VALUES ({', '.join(values)})", values=tuple(parameters))


@pytest.mark.parametrize("trap", [trap for trap in TRAPS if trap.kind], ids=lambda trap: trap.name)
def test_a_value_that_does_not_fit_is_reported_and_nothing_is_written(
    pair: Pair, trap: Trap, make_database: MakeDatabase
) -> None:
    target = make_database("postgres")
    plant(pair, trap)
    before = footprint(target)
    answer = pair.answer(target, expect=9)
    (finding,) = answer["findings"]
    assert (finding["kind"], finding["table"], finding["column"], finding["count"], finding["action"]) == (
        trap.kind,
        "thing",
        trap.column,
        1,
        None,
    )
    assert answer["error"]["code"] == "DATA_MISFIT" and answer["changed"] is False
    assert len(finding["sample"][0]["value"]) <= 110
    assert footprint(target) == before


@pytest.mark.parametrize("trap", [trap for trap in TRAPS if not trap.kind], ids=lambda trap: trap.name)
def test_a_value_that_fits_arrives_as_it_is(pair: Pair, trap: Trap, make_database: MakeDatabase) -> None:
    target = make_database("postgres")
    plant(pair, trap)
    answer = pair.answer(target)
    assert answer["findings"] == [] and answer["rows"] == 5
    assert target.value(f"SELECT {trap.column}::text FROM thing WHERE id = 'trap'") == trap.arrives
    assert sorted(target.query("SELECT id FROM thing")) == [("A",), ("a",), ("trap",), ("zulu",)]


def test_all_findings_are_told_at_once_with_exact_counts_and_few_samples(
    pair: Pair, make_database: MakeDatabase
) -> None:
    for number, trap in enumerate(trap for trap in TRAPS if trap.kind and trap.column != "id"):
        plant(pair, Trap(trap.name, trap.column, trap.value))
        pair.run(f"UPDATE thing SET id = 'trap {number}' WHERE id = 'trap'")
    pair.run(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000)"
        " INSERT INTO thing (id, number) SELECT 'n' || i, 'many' FROM n"
    )
    answer = pair.answer(make_database("postgres"), "--sample", "3", expect=9)
    counts = {(one["kind"], one["column"]): one["count"] for one in answer["findings"]}
    expected: dict[tuple[Any, str], int] = {("not-a-number", "number"): 3000}
    for trap in TRAPS:
        if trap.kind and trap.column != "id":
            expected[trap.kind, trap.column] = expected.get((trap.kind, trap.column), 0) + 1
    assert counts == expected
    assert all(len(one["sample"]) == min(3, one["count"]) for one in answer["findings"])


def test_a_sqlite_that_writes_other_digits_is_not_relied_on(
    pair: Pair, make_database: MakeDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    from runner.transfer import expressions

    monkeypatch.setattr(expressions, "_REAL", "printf('%.15g', {0})")
    pair.run("INSERT INTO thing (id, size) VALUES ('x', 0.1), ('y', ?)", values=(0.1 + 0.2,))
    target = make_database("postgres")
    pair.answer(target)
    assert target.value("SELECT size FROM thing WHERE id = 'y'") == 0.1 + 0.2


# Keys that only the target tells apart, or takes for one.


def test_keys_that_differ_by_case_are_two_and_keys_that_differ_by_type_are_reported(
    pair: Pair, make_database: MakeDatabase
) -> None:
    pair.run("INSERT INTO thing (id) VALUES ('1'), (x'31')")
    answer = pair.answer(make_database("postgres"), expect=9)
    assert [(one["kind"], one["column"]) for one in answer["findings"]] == [("blob-in-text", "id")]


def test_keys_that_are_one_only_on_the_target_are_reported(tmp_path: Path, make_database: MakeDatabase) -> None:
    pair = make_pair(
        tmp_path,
        "CREATE TABLE day (at TIMESTAMP UNIQUE, code UUID);\nCREATE TABLE kin (a TEXT, b INTEGER);\n",
        "CREATE TABLE day (at TIMESTAMP UNIQUE, code UUID UNIQUE);\n"
        "CREATE TABLE kin (a TEXT, b INTEGER, UNIQUE (a, b));\n",
    )
    one = "0a000000-0000-4000-8000-00000000000a"
    pair.run(
        f"INSERT INTO day VALUES ('2024-01-01', '{one}'), ('2024-01-01T00:00', '{one.upper()}'), (NULL, NULL)",
        "INSERT INTO kin VALUES ('x', 1), ('x', 1), ('x', NULL), ('x', NULL), ('x', 1)",
    )
    answer = pair.answer(make_database("postgres"), expect=9)
    found = {(one["table"], one["column"]): one["count"] for one in answer["findings"]}
    assert found == {("day", "at"): 1, ("day", "code"): 1, ("kin", "a, b"): 2}
    assert {one["kind"] for one in answer["findings"]} == {"duplicate-key"}


# What only one side has.


def test_a_table_or_a_column_that_the_target_lacks_is_reported(pair: Pair, make_database: MakeDatabase) -> None:
    pair.run(
        "CREATE TABLE notes (body TEXT)",
        "INSERT INTO notes VALUES ('x')",
        "ALTER TABLE place ADD COLUMN mood TEXT",
        "UPDATE place SET mood = 'calm'",
    )
    target = make_database("postgres")
    before = footprint(target)
    answer = pair.answer(target, expect=9)
    assert [(one["kind"], one["table"], one["column"]) for one in answer["findings"]] == [
        ("extra-table", "notes", ""),
        ("extra-column", "place", "mood"),
    ]
    assert footprint(target) == before


def test_a_column_that_the_source_lacks_is_reported(pair: Pair, make_database: MakeDatabase) -> None:
    target = make_database("postgres")
    pair.apply_target(target)
    target.script("ALTER TABLE place ADD COLUMN mood TEXT DEFAULT 'calm'")
    answer = pair.answer(target, expect=9)
    assert [(one["kind"], one["table"], one["column"]) for one in answer["findings"]] == [
        ("missing-column", "place", "mood")
    ]


def test_names_with_capitals_and_hostile_names_are_only_names(tmp_path: Path, make_database: MakeDatabase) -> None:
    hostile = 'x"; DROP TABLE "Victim"; --'
    quoted = hostile.replace('"', '""')
    tables = f'CREATE TABLE "Victim" ("Id" INTEGER PRIMARY KEY, "{quoted}" TEXT, "select" TEXT);\n'
    pair = make_pair(
        tmp_path, tables + "CREATE TABLE Notes (Body TEXT);\n", tables + "CREATE TABLE notes (body TEXT);\n"
    )
    pair.run("INSERT INTO \"Victim\" VALUES (1, 'a', 'b')", "INSERT INTO Notes VALUES ('c')")
    target = make_database("postgres")
    pair.answer(target)
    assert target.query('SELECT * FROM "Victim"') == [(1, "a", "b")]
    assert target.query("SELECT * FROM notes") == [("c",)]


def test_tables_that_refer_to_each_other_in_a_circle_go_over(tmp_path: Path, make_database: MakeDatabase) -> None:
    sqlite_tables = (
        "CREATE TABLE a (id INTEGER PRIMARY KEY, b INTEGER REFERENCES b (id));\n"
        "CREATE TABLE b (id INTEGER PRIMARY KEY, a INTEGER REFERENCES a (id));\n"
    )
    postgres_tables = (
        "CREATE TABLE a (id INTEGER PRIMARY KEY, b INTEGER);\n"
        "CREATE TABLE b (id INTEGER PRIMARY KEY, a INTEGER REFERENCES a (id));\n"
        "ALTER TABLE a ADD CONSTRAINT round FOREIGN KEY (b) REFERENCES b (id);\n"
    )
    pair = make_pair(tmp_path, sqlite_tables, postgres_tables)
    pair.run("INSERT INTO a VALUES (1, 2)", "INSERT INTO b VALUES (2, 1)")
    target = make_database("postgres")
    pair.answer(target)
    assert target.query("SELECT a.id, b.id FROM a JOIN b ON b.id = a.b AND a.id = b.a") == [(1, 2)]


# The target.


def test_a_target_with_rows_is_refused_and_keeps_them(pair: Pair, make_database: MakeDatabase) -> None:
    target = make_database("postgres")
    pair.apply_target(target)
    target.script("INSERT INTO place (id, name) VALUES ('mine', 'Production')")
    before = footprint(target)
    answer = pair.answer(target, expect=2)
    assert answer["error"]["code"] == "TARGET_NOT_EMPTY" and "place" in answer["error"]["message"]
    assert footprint(target) == before


def test_a_trigger_of_the_target_changes_nothing_and_is_there_afterwards(
    tmp_path: Path, make_database: MakeDatabase
) -> None:
    pair = make_pair(
        tmp_path,
        "CREATE TABLE t (id INTEGER PRIMARY KEY, at TIMESTAMP);\n",
        "CREATE TABLE t (id INTEGER PRIMARY KEY, at TIMESTAMP);\n"
        "CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN NEW.at := now(); RETURN NEW; END $$;\n"
        "CREATE TRIGGER touch BEFORE INSERT OR UPDATE ON t FOR EACH ROW EXECUTE FUNCTION touch();\n"
        "CREATE TRIGGER off BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION touch();\n"
        "ALTER TABLE t DISABLE TRIGGER off;\n"
        "CREATE TRIGGER always BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION touch();\n"
        "ALTER TABLE t ENABLE ALWAYS TRIGGER always;\n",
    )
    pair.run("INSERT INTO t VALUES (1, '2020-02-02 20:20:20')")
    target = make_database("postgres")
    pair.answer(target)
    assert target.query("SELECT id, at::text FROM t") == [(1, "2020-02-02 20:20:20")]
    assert target.query("SELECT tgname::text, tgenabled::text FROM pg_trigger WHERE NOT tgisinternal ORDER BY 1") == [
        ("always", "A"),
        ("off", "D"),
        ("touch", "O"),
    ]


def test_the_bookkeeping_is_the_target_s_own(pair: Pair, make_database: MakeDatabase) -> None:
    pair.run("INSERT INTO yoyo_lock VALUES (1, '2024-01-01', 99)")
    target = make_database("postgres")
    pair.answer(target)
    assert target.query("SELECT count(*) FROM yoyo_lock") == [(0,)]
    assert target.query("SELECT migration_id FROM _yoyo_migration") == [(ONE,)]
    assert target.value("SELECT created_at_utc > now() AT TIME ZONE 'UTC' - interval '1 minute' FROM _yoyo_log")


@pytest.mark.parametrize(("source", "target"), [("head", ONE), (ONE, "head")], ids=["behind", "ahead"])
def test_a_target_at_another_version_is_refused_with_both_named(
    pair: Pair, tmp_path: Path, make_database: MakeDatabase, source: str, target: str
) -> None:
    own = Pair(Path(shutil.copytree(pair.root, tmp_path / "own")), pair.source)
    own.add("002_two", "CREATE TABLE two (id INTEGER);\n", "CREATE TABLE two (id INTEGER);\n", "DROP TABLE two;\n")
    own.apply_source(source)
    database = make_database("postgres")
    own.apply_target(database, target)
    before = footprint(database)
    error = own.answer(database, expect=6)["error"]
    assert error["code"] == "VERSION_MISMATCH"
    assert ONE in error["message"] and "002_two" in error["message"]
    assert footprint(database) == before
    if target == ONE:
        own.answer(database, "--migrate")
        assert database.query("SELECT count(*) FROM two") == [(0,)]


# A source that is written to.


@pytest.mark.parametrize("journal", ["wal", "delete"])
def test_a_source_that_is_written_to_gives_one_moment(
    pair: Pair, make_database: MakeDatabase, monkeypatch: pytest.MonkeyPatch, journal: str
) -> None:
    from runner.operations import transfer as operation

    pair.run(f"PRAGMA journal_mode = {journal}")
    copy = operation.copy
    written = []

    def copy_beside_a_writer(*arguments: Any) -> None:
        with closing(sqlite3.connect(pair.source, timeout=0.1, isolation_level=None)) as writer:
            try:
                writer.execute("INSERT INTO thing (id, place_id) VALUES ('late', 'late')")
                written.append("late")
            except sqlite3.OperationalError as error:  # the reader keeps the writer waiting
                assert "locked" in str(error)
        copy(*arguments)

    monkeypatch.setattr(operation, "copy", copy_beside_a_writer)
    target = make_database("postgres")
    answer = pair.answer(target)
    assert written == (["late"] if journal == "wal" else [])
    assert answer["rows"] == 4
    assert target.query("SELECT count(*) FROM thing") == [(3,)]
