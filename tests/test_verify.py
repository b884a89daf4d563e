"""The engine of verify, on schemas of any kind: what it finds, what it leaves alone, what it leaves behind."""

from __future__ import annotations

import itertools
import random
import sqlite3
import subprocess
import sys
from array import array
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.support.databases import Database
from verify.errors import VerifyError
from verify.loader import load_checks, read_check
from verify.model import Check, CheckResult, VerifyReport, Violation
from verify.run import list_checks, select, verify
from verify.statements import single_statement

MakeDatabase = Callable[[str], Database]

CHILDREN = """
CREATE TABLE parents (id varchar(9) PRIMARY KEY);
CREATE TABLE children (id varchar(9) PRIMARY KEY, parent_id varchar(9) REFERENCES parents (id));
INSERT INTO parents VALUES ('p');
INSERT INTO children VALUES ('good', 'p'), ('none', NULL);
"""


def plant(database: Database, sql: str) -> None:
    """Run statements with foreign keys off."""
    off = "" if database.dialect == "sqlite" else "SET session_replication_role = replica;"
    database.script(off + sql)


def run(database: Database, **options: Any) -> VerifyReport:
    with database.connect() as connection:
        return verify(connection, database.dialect, **options)


def found(report: VerifyReport) -> dict[str, set[tuple[str, str]]]:
    """The failed checks with the table and key of each shown violation."""
    return {result.name: {(one.table, one.key) for one in result.sample} for result in report.failed("warn")}


def statuses(report: VerifyReport) -> dict[str, str]:
    return {result.name: result.status for result in report.checks}


def check_file(folder: Path, name: str, select: str, header: str = "-- severity: error\n") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.sql"
    path.write_text(f"-- check: {name}\n{header}-- It holds.\n{select}\n", encoding="utf-8")
    return folder


# --- orphans


def test_an_orphan_is_named_by_table_key_and_value(database: Database) -> None:
    plant(database, CHILDREN + "INSERT INTO children VALUES ('lost', 'gone')")
    report = run(database)
    (result,) = report.failed()
    assert result.name == "orphan:children(parent_id)->parents"
    assert result.sample == (Violation("children", "lost", "parent_id gone is not in parents"),)
    assert (result.violations, result.kind, result.severity) == (1, "orphan", "error")
    assert report.counts == {"children": 3, "parents": 1}


def test_a_composite_key_with_a_null_refers_to_nothing(database: Database) -> None:
    plant(
        database,
        """
        CREATE TABLE p (a integer, b varchar(9), PRIMARY KEY (a, b));
        CREATE TABLE c (x integer, y varchar(9), n integer, PRIMARY KEY (n, y), FOREIGN KEY (x, y) REFERENCES p (a, b));
        INSERT INTO p VALUES (1, 'one');
        INSERT INTO c VALUES (1, 'one', 1), (NULL, 'two', 2), (1, 'two', 3), (2, 'one', 4);
        """,
    )
    assert found(run(database)) == {"orphan:c(x,y)->p": {("c", "3,two"), ("c", "4,one")}}


def test_a_row_may_refer_to_itself_and_to_its_own_table(database: Database) -> None:
    plant(
        database,
        """
        CREATE TABLE tree (id integer PRIMARY KEY, up integer REFERENCES tree (id));
        INSERT INTO tree VALUES (1, 1), (2, 1), (3, 9), (4, NULL);
        """,
    )
    assert found(run(database)) == {"orphan:tree(up)->tree": {("tree", "3")}}


def test_a_null_among_the_parents_hides_no_orphan(database: Database) -> None:
    plant(
        database,
        """
        CREATE TABLE p (id integer UNIQUE);
        CREATE TABLE c (id integer PRIMARY KEY, x integer REFERENCES p (id));
        INSERT INTO p VALUES (NULL), (1); INSERT INTO c VALUES (1, 1), (2, 2);
        """,
    )
    assert found(run(database)) == {"orphan:c(x)->p": {("c", "2")}}


def test_hostile_names_are_only_names(database: Database) -> None:
    plant(
        database,
        """
        CREATE TABLE "<script>a""b'; DROP TABLE x; -- %s" ("i d%" varchar(9) PRIMARY KEY, "Up ""? :x" varchar(9)
            REFERENCES "<script>a""b'; DROP TABLE x; -- %s");
        CREATE TABLE "Mixed Case" ("select" varchar(9), "rowid" varchar(9), "_rowid_" varchar(9),
            "from" varchar(9) REFERENCES "<script>a""b'; DROP TABLE x; -- %s");
        INSERT INTO "<script>a""b'; DROP TABLE x; -- %s" VALUES ('1', 'a''%s');
        INSERT INTO "Mixed Case" VALUES ('s', 'r', 'u', 'gone');
        """,
    )
    name = "<script>a\"b'; DROP TABLE x; -- %s"
    report = run(database)
    place = "oid 1" if database.dialect == "sqlite" else "ctid (0,1)"
    assert found(report) == {
        f'orphan:{name}(Up "? :x)->{name}': {(name, "1")},
        f"orphan:Mixed Case(from)->{name}": {("Mixed Case", place)},
    }
    assert report.counts == {name: 1, "Mixed Case": 1}


def test_the_same_key_declared_twice_is_two_checks(database: Database) -> None:
    plant(
        database,
        """
        CREATE TABLE p (id integer PRIMARY KEY);
        CREATE TABLE c (id integer PRIMARY KEY, x integer REFERENCES p (id), FOREIGN KEY (x) REFERENCES p (id));
        INSERT INTO c VALUES (1, 5);
        """,
    )
    assert set(found(run(database))) == {"orphan:c(x)->p", "orphan:c(x)->p#2"}


def test_bookkeeping_tables_are_left_alone(database: Database) -> None:
    plant(
        database,
        CHILDREN
        + """
        CREATE TABLE _yoyo_log (id varchar(9) PRIMARY KEY); CREATE TABLE yoyo_lock (locked integer PRIMARY KEY);
        CREATE TABLE _maxwell_ledger (id integer PRIMARY KEY, x varchar(9) REFERENCES parents (id));
        INSERT INTO _maxwell_ledger VALUES (1, 'gone');
        """,
    )
    report = run(database)
    assert not report.failed("warn")
    assert set(report.counts) == {"children", "parents"}
    assert set(found(run(database, ignore_tables=()))) == {"orphan:_maxwell_ledger(x)->parents"}


def test_every_violation_is_counted_and_few_are_kept(database: Database) -> None:
    numbers = (
        "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 12345) SELECT i, 'gone' || i FROM n"
    )
    plant(database, f"{CHILDREN} INSERT INTO children SELECT CAST(i AS varchar(9)), 'gone' FROM ({numbers}) AS t")
    (result,) = run(database, sample=3).failed()
    assert (result.violations, len(result.sample)) == (12345, 3)
    assert isinstance(result.fingerprints, array) and result.fingerprints.itemsize == 8
    assert len(set(result.fingerprints)) == 12345
    assert run(database, sample=0).failed()[0].sample == ()


# --- SQLite's own ways


TYPES = ("TEXT", "INTEGER", "REAL", "NUMERIC", "BLOB", "", "TEXT COLLATE NOCASE", "VARCHAR(9) COLLATE RTRIM")
VALUES = (
    1,
    1.0,
    1.5,
    "1",
    "1.0",
    "01",
    "1 ",
    " 1",
    "a",
    "A",
    "a ",
    b"1",
    b"a",
    0,
    -1,
    2**53,
    2**53 + 1,
    float(2**53),
    "",
)


@pytest.mark.parametrize("seed", range(4))
def test_orphans_are_those_that_sqlite_itself_sees(seed: int, make_database: MakeDatabase) -> None:
    database = make_database("sqlite")
    chance = random.Random(seed)
    pairs = list(itertools.product(TYPES, TYPES))
    with database.connect() as connection:
        connection.execute("BEGIN")
        for number, (parent, child) in enumerate(pairs):
            connection.execute(f"CREATE TABLE p{number} (id {parent} UNIQUE)")
            connection.execute(f"CREATE TABLE c{number} (id INTEGER PRIMARY KEY, x {child} REFERENCES p{number} (id))")
            for value in chance.sample(VALUES, 7):
                connection.execute(f"INSERT OR IGNORE INTO p{number} VALUES (?)", (value,))
            connection.executemany(f"INSERT INTO c{number} (x) VALUES (?)", [(value,) for value in VALUES])
        connection.execute("COMMIT")
        theirs = {(table, str(row)) for table, row, *_ in connection.execute("PRAGMA foreign_key_check")}
        report = verify(connection, "sqlite", sample=100)
    ours = {(one.table, one.key) for result in report.failed() for one in result.sample}
    assert ours == theirs
    assert len(theirs) > 300
    assert statuses(report)["foreign-key-check"] == "passed"


def test_foreign_key_check_alone_lists_every_orphan(make_database: MakeDatabase) -> None:
    database = make_database("sqlite")
    plant(database, CHILDREN + "INSERT INTO children VALUES ('lost', 'gone')")
    assert found(run(database, only=["foreign-key-check"])) == {"foreign-key-check": {("children", "rowid 3")}}
    assert "foreign-key-check" not in found(run(database, only=["foreign-key-check", "orphan:*"]))


@pytest.mark.parametrize(
    ("declaration", "detail"),
    [
        ("x REFERENCES nowhere (id)", 'it refers to "nowhere", which is not there'),
        ("x REFERENCES nowhere", 'it refers to "nowhere", which is not there'),
        ("x REFERENCES v (id)", 'it refers to "v", which is a view or a virtual table'),
        ("x REFERENCES plain (id)", '"plain" has no primary key or unique index on (id)'),
        ("x REFERENCES plain", 'it refers to the primary key of "plain", which has none'),
        ("x REFERENCES pair", 'it has 1 columns, the key of "pair" has 2'),
        ("x REFERENCES plain (nope)", 'it refers to column "nope", which "plain" does not have'),
        ("x REFERENCES partly (id)", '"partly" has no primary key or unique index on (id)'),
        ("x REFERENCES folded (id)", 'SQLite says: foreign key mismatch - "c" referencing "folded"'),
    ],
)
def test_a_key_that_cannot_be_checked_is_a_violation(
    declaration: str, detail: str, make_database: MakeDatabase
) -> None:
    database = make_database("sqlite")
    database.script(
        f"""
        CREATE TABLE plain (id TEXT); CREATE TABLE pair (a, b, PRIMARY KEY (a, b)); CREATE VIEW v AS SELECT 1 AS id;
        CREATE TABLE partly (id TEXT); CREATE UNIQUE INDEX u ON partly (id) WHERE id > '';
        CREATE TABLE folded (id TEXT); CREATE UNIQUE INDEX f ON folded (id COLLATE NOCASE);
        CREATE TABLE good (id TEXT PRIMARY KEY);
        CREATE TABLE c (id INTEGER PRIMARY KEY, {declaration}, y REFERENCES GOOD);
        INSERT INTO c VALUES (1, 'a', 'gone');
        """
    )
    report = run(database)
    results = {result.name: result for result in report.failed()}
    broken = next(result for name, result in results.items() if name.startswith("orphan:c(x)"))
    assert broken.sample == (Violation("c", "(x)", f"the foreign key on (x) cannot be checked: {detail}"),)
    assert results["orphan:c(y)->good"].sample[0].key == "1"  # the good key beside it is checked all the same
    assert len(results) == 2


def test_virtual_tables_and_their_shadows_are_left_out(make_database: MakeDatabase) -> None:
    database = make_database("sqlite")
    database.script(
        "CREATE VIRTUAL TABLE docs USING fts5(body); INSERT INTO docs VALUES ('x');"
        "CREATE TABLE docs_own (id PRIMARY KEY)"
    )
    assert run(database).counts == {"docs_own": 0}


def test_keys_that_sqlite_lets_be_null_are_found(make_database: MakeDatabase) -> None:
    database = make_database("sqlite")
    database.script(
        """
        CREATE TABLE a (id TEXT PRIMARY KEY); INSERT INTO a VALUES (NULL), (NULL), ('x');
        CREATE TABLE b (x, y, PRIMARY KEY (x, y)); INSERT INTO b VALUES (1, NULL), (1, 2);
        CREATE TABLE c (id INTEGER PRIMARY KEY); INSERT INTO c VALUES (NULL);
        CREATE TABLE d (x, y, PRIMARY KEY (y, x)) WITHOUT ROWID; INSERT INTO d VALUES (1, 2);
        CREATE TABLE e (x); INSERT INTO e VALUES (NULL);
        CREATE TABLE f (id BLOB PRIMARY KEY, up REFERENCES d); INSERT INTO f VALUES (x'00ff', 1);
        """
    )
    report = run(database)
    assert {key: value for key, value in found(report).items() if key.startswith("key:")} == {
        "key:a": {("a", "rowid 1"), ("a", "rowid 2")},
        "key:b": {("b", "rowid 1")},
    }
    (skipped,) = [result for result in report.checks if result.status == "skipped" and result.kind == "key"]
    assert (skipped.name, skipped.reason) == ("key:e", "the table has no primary key")


ROWID_KEYS = """
    CREATE TABLE a (id INTEGER PRIMARY KEY, x TEXT); INSERT INTO a VALUES (1, 'one'), (2, 'two'), (3, 'three');
    CREATE TABLE b (id INTEGER PRIMARY KEY DESC, x TEXT); INSERT INTO b VALUES (1, 'one'), (2, 'two');
    CREATE TABLE c (id INT PRIMARY KEY);
    CREATE TABLE d (id INTEGER PRIMARY KEY) WITHOUT ROWID;
    CREATE TABLE "key:a" (id INTEGER, x, PRIMARY KEY (id));
    CREATE TABLE rowid (rowid, oid, _rowid_, id INTEGER PRIMARY KEY);
"""


@pytest.mark.parametrize(
    ("only", "asked"), [([], ["b", "c", "d", "rowid"]), (["key:*"], ["a", "b", "c", "d", "key:a", "rowid"])]
)
def test_a_key_that_is_the_rowid_is_left_to_a_sound_file(
    make_database: MakeDatabase, only: list[str], asked: list[str]
) -> None:
    database = make_database("sqlite")
    database.script(ROWID_KEYS)
    statements: list[str] = []
    with database.connect() as connection:
        connection.set_trace_callback(statements.append)
        report = verify(connection, "sqlite", only=only)
    keys = {result.name: result.status for result in report.checks if result.kind == "key"}
    assert keys == {f"key:{name}": "passed" for name in ("a", "b", "c", "d", "key:a", "rowid")}
    counted = {text.partition("SELECT '")[2].partition("'")[0] for text in statements if "HAVING count(*) > 1" in text}
    assert counted == set(asked)


def test_a_rowid_that_stands_in_two_rows_is_found(make_database: MakeDatabase) -> None:
    database = make_database("sqlite")
    database.script(ROWID_KEYS)
    assert database.path is not None
    data = bytearray(database.path.read_bytes())
    place = data.index(b"three") - 4  # length, rowid, and a header of its own length and two types
    assert data[place] == 3 or data[place - 1] == 3
    data[place if data[place] == 3 else place - 1] = 2
    database.path.write_bytes(data)
    broken = found(run(database))
    assert broken.pop("integrity-check") and broken == {"key:a": {("a", "2")}}
    assert found(run(database, only=["key:*"])) == {"key:a": {("a", "2")}}


def test_rows_are_named_by_their_key_in_key_order_and_bytes_in_hex(make_database: MakeDatabase) -> None:
    database = make_database("sqlite")
    database.script(
        """
        CREATE TABLE p (id INTEGER PRIMARY KEY);
        CREATE TABLE d (x, y, up REFERENCES p, PRIMARY KEY (y, x)) WITHOUT ROWID; INSERT INTO d VALUES ('x', 'y', 9);
        CREATE TABLE f (id BLOB PRIMARY KEY, up REFERENCES p); INSERT INTO f VALUES (x'00ff', 9);
        CREATE TABLE g (up REFERENCES p); INSERT INTO g VALUES (9);
        CREATE TABLE h (id TEXT PRIMARY KEY, up REFERENCES p); INSERT INTO h VALUES (CAST(x'61ff' AS TEXT), 9);
        """
    )
    keys = {one.table: one.key for result in run(database).failed() for one in result.sample}
    assert keys == {"d": "y,x", "f": "x'00FF'", "g": "rowid 1", "h": "a\N{REPLACEMENT CHARACTER}"}


def test_a_temporary_table_does_not_stand_in_for_the_real_one(make_database: MakeDatabase) -> None:
    database = make_database("sqlite")
    plant(database, CHILDREN + "INSERT INTO children VALUES ('lost', 'gone')")
    with database.connect() as connection:
        connection.execute("CREATE TEMP TABLE children (id, parent_id)")
        assert len(verify(connection, "sqlite").failed()) == 1


def test_the_connection_is_left_as_it_was(make_database: MakeDatabase) -> None:
    database = make_database("sqlite")
    database.script("CREATE TABLE t (id TEXT PRIMARY KEY, at TIMESTAMP); INSERT INTO t VALUES ('a', 'not a time')")
    with closing(
        sqlite3.connect(str(database.path), isolation_level=None, detect_types=sqlite3.PARSE_DECLTYPES)
    ) as connection:
        connection.row_factory = lambda _cursor, row: {"row": row}
        connection.text_factory = bytes
        report = verify(connection, "sqlite")
        assert report.counts == {"t": 1} and not report.failed("warn")
        assert connection.text_factory is bytes
        assert connection.execute("PRAGMA query_only").fetchone() == {"row": (0,)}
        assert not connection.in_transaction
        connection.execute("INSERT INTO t VALUES ('b', NULL)")


def test_of_a_damaged_file_all_that_can_be_said_is_said(make_database: MakeDatabase) -> None:
    database = make_database("sqlite")
    rows = ", ".join(f"('{number:09}', '{'x' * 400}')" for number in range(200))
    database.script(
        "CREATE TABLE good (id TEXT PRIMARY KEY); CREATE TABLE torn (id TEXT PRIMARY KEY, x TEXT);"
        f"INSERT INTO torn VALUES {rows}"
    )
    assert database.path is not None
    root = database.value("SELECT rootpage FROM sqlite_master WHERE name = 'sqlite_autoindex_torn_1'")
    data = bytearray(database.path.read_bytes())
    page = int.from_bytes(data[16:18], "big")
    data[(root - 1) * page : root * page] = b"\xff" * page
    database.path.write_bytes(data)
    report = run(database)
    results = {result.name: result for result in report.checks}
    assert results["integrity-check"].status == "failed"
    assert results["key:good"].status == "passed"
    assert results["key:torn"].status == "skipped"
    assert "the file is damaged" in str(results["key:torn"].reason)
    assert report.counts["good"] == 0


# --- PostgreSQL's own ways


def test_match_full_allows_no_mixture(make_database: MakeDatabase) -> None:
    database = make_database("postgres")
    plant(
        database,
        """
        CREATE TABLE p (a int, b int, UNIQUE (a, b)); INSERT INTO p VALUES (1, 2);
        CREATE TABLE c (id int PRIMARY KEY, x int, y int, FOREIGN KEY (x, y) REFERENCES p (a, b) MATCH FULL);
        INSERT INTO c VALUES (1, 1, 2), (2, NULL, NULL), (3, 1, NULL), (4, 2, 2);
        """,
    )
    assert found(run(database)) == {"orphan:c(x,y)->p": {("c", "3"), ("c", "4")}}


def test_a_parent_elsewhere_other_types_and_collations(make_database: MakeDatabase) -> None:
    database = make_database("postgres")
    plant(
        database,
        """
        CREATE SCHEMA other; CREATE SCHEMA unseen;
        CREATE TABLE other.p (id bigint PRIMARY KEY); INSERT INTO other.p VALUES (1);
        CREATE TABLE t (id text COLLATE "C" PRIMARY KEY); INSERT INTO t VALUES ('a');
        CREATE TABLE c (id int PRIMARY KEY, x int REFERENCES other.p, y text COLLATE "POSIX" REFERENCES t);
        INSERT INTO c VALUES (1, 1, 'a'), (2, 2, 'b');
        CREATE TABLE unseen.c (id int PRIMARY KEY, x bigint REFERENCES other.p); INSERT INTO unseen.c VALUES (7, 7);
        """,
    )
    report = run(database)
    assert found(report) == {"orphan:c(x)->other.p": {("c", "2")}, "orphan:c(y)->t": {("c", "2")}}
    assert report.counts == {"c": 2, "t": 1}  # current_schema() alone


def test_a_partitioned_table_is_seen_once(make_database: MakeDatabase) -> None:
    database = make_database("postgres")
    plant(
        database,
        """
        CREATE TABLE p (id int PRIMARY KEY); INSERT INTO p VALUES (1);
        CREATE TABLE c (id int PRIMARY KEY, x int REFERENCES p) PARTITION BY RANGE (id);
        CREATE TABLE c1 PARTITION OF c FOR VALUES FROM (0) TO (10);
        CREATE TABLE c2 PARTITION OF c FOR VALUES FROM (10) TO (20);
        INSERT INTO c VALUES (1, 1), (2, 9), (12, 9);
        """,
    )
    report = run(database)
    assert found(report) == {"orphan:c(x)->p": {("c", "2"), ("c", "12")}}
    assert report.counts == {"c": 3, "p": 1}


def test_the_key_of_a_large_table_is_left_to_its_index_unless_it_is_asked_for(make_database: MakeDatabase) -> None:
    database = make_database("postgres")
    database.script(
        "CREATE TABLE big (id int PRIMARY KEY, x text);"
        "INSERT INTO big SELECT i, repeat('x', 200) FROM generate_series(1, 90000) AS i"
    )
    assert statuses(run(database, only=["key:*"])) == {"key:big": "skipped"}
    assert statuses(run(database, only=["key:big"])) == {"key:big": "passed"}


def test_text_that_copy_escapes_comes_through(make_database: MakeDatabase) -> None:
    database = make_database("postgres")
    nasty = "tab\t line\n back\\slash \\N \\. \r\b\f\v é😀"
    with database.connect() as connection, connection.cursor() as cursor:
        cursor.execute(
            "CREATE TABLE p (id text PRIMARY KEY); CREATE TABLE c (id text PRIMARY KEY, x text REFERENCES p);"
            "SET session_replication_role = replica"
        )
        cursor.execute("INSERT INTO c VALUES (%s, %s)", (nasty, "\\"))
        (result,) = verify(connection, "postgres").failed()
    assert result.sample == (Violation("c", nasty, "x \\ is not in p"),)


def test_no_schema_is_an_error_that_says_so(make_database: MakeDatabase) -> None:
    database = make_database("postgres")
    with database.connect() as connection:
        connection.cursor().execute("SET search_path = nowhere")
        with pytest.raises(VerifyError, match="search_path") as caught:
            verify(connection, "postgres")
    assert caught.value.code == "NO_SCHEMA"


# --- old violations and new ones


def test_only_new_violations_are_left(database: Database) -> None:
    plant(database, CHILDREN + "INSERT INTO children VALUES ('old', 'gone'), ('also', 'gone')")
    before = run(database)
    assert not run(database).new_since(before).failed("warn")
    plant(
        database,
        "INSERT INTO children VALUES ('new', 'gone'); UPDATE children SET parent_id = 'away' WHERE id = 'also'",
    )
    after = run(database, sample=2, before=before)
    assert after.failed()[0].violations == 3
    (fresh,) = after.new_since(before).failed()
    assert (fresh.violations, {one.key for one in fresh.sample}) == (2, {"new", "also"})
    assert after.new_since(before).counts == after.counts


def test_a_new_violation_beyond_the_sample_still_counts(database: Database) -> None:
    plant(database, CHILDREN + "".join(f"INSERT INTO children VALUES ('a{n:02}', 'gone');" for n in range(20)))
    before = run(database)
    plant(database, "INSERT INTO children VALUES ('z', 'gone')")
    (fresh,) = run(database, sample=1).new_since(before).failed()
    assert fresh.violations == 1
    (shown,) = run(database, sample=1, before=before).new_since(before).failed()
    assert [one.key for one in shown.sample] == ["z"]


def test_of_two_violations_that_look_alike_one_may_be_new(database: Database, tmp_path: Path) -> None:
    checks = check_file(tmp_path, "alike", "SELECT 't' AS table_name, 'k' AS row_key, 'd' AS detail FROM twins")
    database.script("CREATE TABLE twins (x integer); INSERT INTO twins VALUES (1)")
    before = run(database, checks_dirs=[checks], only=["alike"])
    database.script("INSERT INTO twins VALUES (2)")
    after = run(database, checks_dirs=[checks], only=["alike"])
    assert after.new_since(before).failed()[0].violations == 1
    assert not before.new_since(after).failed("warn")


def test_what_a_skipped_check_finds_later_is_new(database: Database, tmp_path: Path) -> None:
    header = "-- severity: warn\n-- requires: late.x\n"
    checks = check_file(tmp_path, "late", "SELECT 'late' AS table_name, 'k' AS row_key, x AS detail FROM late", header)
    before = run(database, checks_dirs=[checks])
    database.script("CREATE TABLE late (x varchar(9)); INSERT INTO late VALUES ('d')")
    after = run(database, checks_dirs=[checks])
    assert statuses(before)["late"] == "skipped"
    assert [result.name for result in after.new_since(before).failed("warn")] == ["late"]
    assert not after.new_since(before).failed("error")


def test_the_json_form_is_the_documented_one() -> None:
    good = CheckResult("a", "check", "warn", "failed", 2, (Violation("t", "k", "d"),), 1.23456)
    skipped = CheckResult("b", "key", "error", "skipped", reason="no table")
    assert VerifyReport((good, skipped), {"t": 3}).as_dict() == {
        "checks": [
            {
                "name": "a",
                "kind": "check",
                "severity": "warn",
                "status": "failed",
                "violations": 2,
                "sample": [{"table": "t", "key": "k", "detail": "d"}],
                "duration_ms": 1.235,
            },
            {
                "name": "b",
                "kind": "key",
                "severity": "error",
                "status": "skipped",
                "violations": 0,
                "sample": [],
                "duration_ms": 0.0,
                "reason": "no table",
            },
        ],
        "counts": {"t": 3},
    }


# --- one moment, and nothing written


def test_all_checks_see_one_moment_while_another_program_writes(database: Database) -> None:
    if database.dialect == "sqlite":
        database.query("PRAGMA journal_mode = WAL")
    plant(database, CHILDREN)
    writes = iter(["INSERT INTO children VALUES ('lost', 'gone')", "DELETE FROM parents"])

    def write(_check: Check, place: int, _all: int) -> None:
        if place in (1, 3):
            plant(database, next(writes))

    report = run(database, progress=write)
    assert next(writes, None) is None  # both were written, in the middle
    assert not report.failed("warn")
    assert report.counts == {"children": 2, "parents": 1}
    assert len(run(database).failed()) == 1


def test_the_gate_sees_the_open_transaction_and_leaves_it_open(database: Database) -> None:
    database.script(
        CHILDREN.replace("REFERENCES parents (id)", "REFERENCES parents (id) DEFERRABLE INITIALLY DEFERRED")
    )
    with database.connect() as connection:
        cursor = connection.cursor()
        cursor.execute("BEGIN")
        cursor.execute("INSERT INTO children VALUES ('lost', 'gone')")
        (result,) = verify(connection, database.dialect, snapshot=False).failed()
        assert result.sample[0].key == "lost"
        cursor.execute("DELETE FROM children WHERE id = 'lost'")
        cursor.execute("INSERT INTO parents VALUES ('q')")
        assert not verify(connection, database.dialect, snapshot=False).failed("warn")
        cursor.execute("COMMIT")
    assert database.value("SELECT count(*) FROM parents") == 2


def test_a_check_that_fails_leaves_the_gates_transaction_whole(database: Database, tmp_path: Path) -> None:
    wrong = "SELECT 'children' AS table_name,\n  id AS row_key, 1 / nope AS detail FROM children"
    checks = check_file(tmp_path, "wrong", wrong)
    database.script(CHILDREN)
    with database.connect() as connection:
        cursor = connection.cursor()
        cursor.execute("BEGIN")
        cursor.execute("INSERT INTO parents VALUES ('q')")
        with pytest.raises(VerifyError) as caught:
            verify(connection, database.dialect, snapshot=False, checks_dirs=[checks])
        error = caught.value
        assert (error.code, error.file, error.line, error.exit_code) == ("CHECK_FAILED", tmp_path / "wrong.sql", 4, 1)
        assert "nope" in error.message and "1 / nope" in str(error.statement)
        cursor.execute("INSERT INTO parents VALUES ('r')")
        cursor.execute("COMMIT")
    assert database.value("SELECT count(*) FROM parents") == 3


WRITES = {
    "sqlite": ["WITH x AS (SELECT 1) DELETE FROM parents"],
    "postgres": [
        "WITH x AS (DELETE FROM parents RETURNING id) SELECT 'p' AS table_name, id AS row_key, '' AS detail FROM x",
        "SELECT 'p' AS table_name, '1' AS row_key, CAST(nextval('numbers') AS text) AS detail",
        "SELECT 'p' AS table_name, '1' AS row_key, set_config('transaction_read_only', 'off', false) AS detail",
    ],
}


@pytest.mark.parametrize("snapshot", [True, False])
def test_a_check_cannot_write(database: Database, snapshot: bool, tmp_path: Path) -> None:
    database.script(CHILDREN + ("CREATE SEQUENCE numbers" if database.dialect == "postgres" else ""))
    for number, sql in enumerate(WRITES[database.dialect]):
        checks = check_file(tmp_path / str(number), "writes", sql)
        with database.connect() as connection:
            if not snapshot:
                connection.cursor().execute("BEGIN")
            with pytest.raises(VerifyError, match="refuses the check") as caught:
                verify(connection, database.dialect, snapshot=snapshot, checks_dirs=[checks], only=["writes"])
            assert caught.value.file == checks / "writes.sql"
            if not snapshot:
                connection.cursor().execute(f"INSERT INTO parents VALUES ('q{number}')")  # the caller may write
                connection.cursor().execute("COMMIT" if number == 0 else "ROLLBACK")
    assert database.value("SELECT count(*) FROM parents") == (1 if snapshot else 2)


def test_sqlite_is_query_only_while_checks_run(make_database: MakeDatabase) -> None:
    database = make_database("sqlite")
    database.script(CHILDREN)
    with database.connect() as connection:
        refused: list[str] = []

        def write(_check: Check, _place: int, _all: int) -> None:
            with pytest.raises(sqlite3.OperationalError) as caught:
                connection.execute("DELETE FROM parents")
            refused.append(str(caught.value))

        verify(connection, "sqlite", progress=write)
    assert refused and set(refused) == {"attempt to write a readonly database"}


def test_a_connection_in_the_wrong_state_is_refused(database: Database) -> None:
    with database.connect() as connection:
        connection.cursor().execute("BEGIN")
        with pytest.raises(VerifyError) as caught:
            verify(connection, database.dialect)
        assert caught.value.code == "IN_TRANSACTION"
        connection.cursor().execute("ROLLBACK")
        if database.dialect == "postgres":
            with pytest.raises(VerifyError) as caught:
                verify(connection, database.dialect, snapshot=False)
            assert caught.value.code == "NO_TRANSACTION"
    with pytest.raises(VerifyError, match="oracle"):
        verify(None, "oracle")


def test_the_listed_sql_finds_the_same_by_hand(database: Database) -> None:
    plant(database, CHILDREN + "INSERT INTO children VALUES ('lost', 'gone')")
    with database.connect() as connection:
        checks = list_checks(connection, database.dialect)
    by_hand = {check.name: database.query(check.sql) for check in checks if not check.requires}
    wrong = {name: rows for name, rows in by_hand.items() if rows}
    assert wrong.pop("foreign-key-check", None) == (
        [("children", "rowid 3", "foreign key 0 to parents")] if database.dialect == "sqlite" else None
    )
    assert wrong == {"orphan:children(parent_id)->parents": [("children", "lost", "parent_id gone is not in parents")]}


# --- check files


def test_a_check_may_hold_what_drivers_take_for_parameters(database: Database, tmp_path: Path) -> None:
    sql = "SELECT '%s ? :x %(y)s' AS table_name, '50%' AS row_key, 'a;b -- c' AS detail -- 100% ; done\n;  -- ?"
    checks = check_file(tmp_path, "signs", sql)
    (result,) = run(database, checks_dirs=[checks]).failed()
    assert result.sample == (Violation("%s ? :x %(y)s", "50%", "a;b -- c"),)


def test_the_dialects_file_replaces_the_common_one(database: Database, tmp_path: Path) -> None:
    for folder in ("common", "sqlite", "postgres"):
        check_file(tmp_path / folder, "mine", f"SELECT '{folder}' AS table_name, '1' AS row_key, NULL AS detail")
    check_file(tmp_path / "common", "shared", "SELECT 'common' AS table_name, '1' AS row_key, 'd' AS detail")
    report = run(database, checks_dirs=[tmp_path])
    assert {result.name: result.sample[0].table for result in report.failed()} == {
        "mine": database.dialect,
        "shared": "common",
    }


@pytest.mark.parametrize(
    ("requires", "reason"),
    [
        ("nowhere", 'table "nowhere" is not there'),
        ("parents nowhere.x", 'table "nowhere" is not there'),
        ("parents.id parents.nope", 'table "parents" has no column "nope"'),
        ("parents.id, v.n", None),
    ],
)
def test_a_check_is_skipped_while_something_is_missing(
    database: Database, requires: str, reason: str | None, tmp_path: Path
) -> None:
    header = f"-- severity: warn\n-- requires: {requires}\n"
    checks = check_file(tmp_path, "mine", "SELECT 'a' AS table_name, 'b' AS row_key, 'c' AS detail FROM v", header)
    database.script(CHILDREN)
    if reason is None:
        database.script("CREATE VIEW v AS SELECT 1 AS n")
    (result,) = run(database, checks_dirs=[checks], only=["mine"]).checks
    assert (result.status, result.reason) == (("skipped", reason) if reason else ("failed", None))


def test_wrong_columns_are_an_error_of_the_file(database: Database, tmp_path: Path) -> None:
    for number, columns in enumerate(
        ["'a' AS table_name, 'b' AS row_key", "'a' AS table_name, 'b' AS row_key, 'c' AS detail, 1 AS more", "1 AS x"]
    ):
        checks = check_file(tmp_path / str(number), "mine", f"SELECT {columns}")
        with pytest.raises(VerifyError, match="columns must be table_name, row_key, detail") as caught:
            run(database, checks_dirs=[checks])
        assert (caught.value.code, caught.value.file, caught.value.line) == ("BAD_CHECK", checks / "mine.sql", 4)


GOOD = "-- check: mine\n-- severity: warn\n-- requires: a b.c\n-- requires: d\n-- One\n-- sentence.\n\nSELECT 1;\n"


def test_a_check_file_is_read_whole(tmp_path: Path) -> None:
    path = tmp_path / "mine.sql"
    path.write_text(GOOD, encoding="utf-8", newline="\r\n")
    assert read_check(path) == Check(
        "mine", "check", "warn", "SELECT 1", ("a", "b.c", "d"), "One sentence.", path, line=8
    )


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("", 1, "none"),
        ("-- check: mine\n-- severity: warn\n-- Why.\n", 4, "none"),
        (GOOD.replace("-- check: mine\n", ""), 1, "no .-- check"),
        (GOOD.replace("mine", "other"), 1, "called .other."),
        (GOOD.replace("mine", "No Name"), 1, "no name for a check"),
        (GOOD.replace("warn", "fatal"), 1, "severity is .fatal."),
        (GOOD.replace("-- severity: warn\n", ""), 1, "severity is missing"),
        (GOOD.replace("-- One", "-- author: me"), 5, "unknown header key .author."),
        (GOOD.replace("-- One", "-- severity: error"), 5, "stands twice"),
        (GOOD.replace("a b.c", "a.b.c"), 1, "neither table nor"),
        (GOOD.replace("a b.c", "").replace("-- requires: d\n", ""), 1, "names no table"),
        (GOOD.replace("-- One\n-- sentence.\n", ""), 1, "in a sentence"),
        (GOOD.replace("SELECT 1", "DELETE FROM a"), 8, "begins with .DELETE."),
        (GOOD.replace("SELECT 1", "SELECT ';'; -- x\n/* ; */\n\nSELECT 2"), 11, "second statement"),
        (GOOD.replace("SELECT 1", "SELECT 1; COMMIT"), 8, "second statement"),
        ("\ufeff" + GOOD, 1, "byte order mark"),
        (GOOD.replace("1", "'\0'"), 8, "NUL"),
    ],
)
def test_a_bad_check_file_is_named_with_its_line(text: str, line: int, message: str, tmp_path: Path) -> None:
    path = tmp_path / "mine.sql"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(VerifyError, match=message) as caught:
        load_checks("sqlite", [tmp_path])
    error = caught.value
    assert (error.code, error.file, error.line, error.exit_code) == ("BAD_CHECK", path, line, 2)
    assert str(error).startswith(f"{path}:{line}: ")
    assert error.hint


def test_bytes_that_are_no_text_are_named_with_their_line(tmp_path: Path) -> None:
    (tmp_path / "mine.sql").write_bytes(GOOD.encode().replace(b"1", b"'\xe9'"))
    with pytest.raises(VerifyError, match="not UTF-8") as caught:
        load_checks("sqlite", [tmp_path])
    assert caught.value.line == 8


def test_a_folder_that_holds_no_check_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(VerifyError, match="no such folder") as caught:
        load_checks("sqlite", [tmp_path / "typo"])
    assert caught.value.code == "NO_SUCH_FOLDER"
    with pytest.raises(VerifyError, match="no checks in"):
        load_checks("sqlite", [tmp_path])
    check_file(tmp_path / "postgres", "mine", "SELECT 1")
    assert all(check.name != "mine" for check in load_checks("sqlite", [tmp_path]))


def test_a_name_from_two_places_is_an_error(tmp_path: Path) -> None:
    one, two = check_file(tmp_path / "one", "mine", "SELECT 1"), check_file(tmp_path / "two", "mine", "SELECT 1")
    for folders in ([one, two], [check_file(tmp_path / "three", "entity-type", "SELECT 1")]):
        with pytest.raises(VerifyError, match="there already") as caught:
            load_checks("sqlite", folders)
        assert caught.value.code == "DUPLICATE_CHECK"
    check_file(tmp_path / "four", "flat", "SELECT 1")
    check_file(tmp_path / "four" / "common", "flat", "SELECT 1")
    with pytest.raises(VerifyError, match="there already"):
        load_checks("sqlite", [tmp_path / "four"])


def test_a_file_in_capitals_is_not_silently_left_out(tmp_path: Path) -> None:
    check_file(tmp_path, "mine", "SELECT 1")
    (tmp_path / "OTHER.SQL").write_text(GOOD)
    with pytest.raises(VerifyError, match="in lower case"):
        load_checks("sqlite", [tmp_path])


@pytest.mark.parametrize(
    ("sql", "first", "second"),
    [
        ("SELECT 1", "SELECT", None),
        ("  /* a; /* b */ c */ with x as (select ';') select 1 ; -- ;\n", "WITH", None),
        ("SELECT 'it''s;', \"a;\"\"b\", $$ ; $$, $t$ $$;$$ $t$, E'\\';' ;", "SELECT", None),
        ("SELECT $1; x", "SELECT", "x"),
        ("SELECT a$b$; x, c$b$", "SELECT", "x, c$b$"),
        ("SELECT 1;; SELECT 2", "SELECT", "SELECT 2"),
        (";", "", None),
    ],
)
def test_the_end_of_a_statement_is_found(sql: str, first: str, second: str | None) -> None:
    word, text, place = single_statement(sql)
    assert word == first
    assert (None if place is None else sql[place:]) == second
    assert ";" not in text.rpartition("'")[2]


# --- choosing checks


CHECKS = tuple(Check(name, "check", "warn", "SELECT 1") for name in ("key:a", "key:b[1]", "orphan:a(x)->b", "odd"))


@pytest.mark.parametrize(
    ("only", "names"),
    [
        ([], ["key:a", "key:b[1]", "orphan:a(x)->b", "odd"]),
        (["odd", "key:a"], ["key:a", "odd"]),
        (["key:*"], ["key:a", "key:b[1]"]),
        (["key:b[1]"], ["key:b[1]"]),
        (["o*", "*a*"], ["key:a", "orphan:a(x)->b", "odd"]),
    ],
)
def test_checks_are_chosen_by_name_or_pattern(only: list[str], names: list[str]) -> None:
    assert [check.name for check in select(CHECKS, only)] == names


def test_an_unknown_check_brings_the_near_ones() -> None:
    with pytest.raises(VerifyError, match="there is no check") as caught:
        select(CHECKS, ["key:a", "key:c"])
    assert (caught.value.code, caught.value.exit_code) == ("UNKNOWN_CHECK", 2)
    assert "key:a" in str(caught.value.hint)


def test_importing_the_package_brings_no_driver_and_no_parser() -> None:
    heavy = ["argparse", "psycopg2", "sqlite3", "yoyo", "click", "json"]
    modules = "verify, verify.model, verify.errors, verify.render, verify.run"
    code = f"import sys, {modules}; print([module for module in {heavy} if module in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
