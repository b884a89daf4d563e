"""A large SQLite file is read by several connections at once: one commit, one answer, and nothing left behind."""

from __future__ import annotations

import itertools
import random
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.support.databases import Database, sqlite_database
from tests.support.maxwell_rows import sample_rows
from tests.support.maxwell_schema import HEAD, MIGRATIONS
from verify import catalog_sqlite, orphans, snapshot_sqlite
from verify.errors import VerifyError
from verify.model import Check, VerifyReport
from verify.reader import reading
from verify.reader_sqlite import SqliteReader
from verify.run import list_checks, verify

MakeDatabase = Callable[[str], Database]

CHILDREN = """
CREATE TABLE parents (id TEXT PRIMARY KEY);
CREATE TABLE children (id TEXT PRIMARY KEY, parent_id TEXT REFERENCES parents (id));
INSERT INTO parents VALUES ('p');
INSERT INTO children VALUES ('good', 'p'), ('none', NULL), ('lost', 'gone');
"""


@pytest.fixture
def all_are_large(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every file is shared among threads, and every foreign key checked as that of a large table is."""
    monkeypatch.setattr(snapshot_sqlite, "WORTH_BYTES", 0)
    monkeypatch.setattr(catalog_sqlite, "LARGE_BYTES", 0)
    monkeypatch.setattr(orphans, "MANY_ROWS", 0)


def check_file(folder: Path, name: str, select: str) -> Path:
    (folder / f"{name}.sql").write_text(f"-- check: {name}\n-- severity: error\n-- It holds.\n{select}\n")
    return folder


def told(report: VerifyReport) -> dict[str, Any]:
    """The report without what differs from run to run."""
    answer = report.as_dict()
    for result in answer["checks"]:
        del result["duration_ms"]
    return answer


def readers(database: Database) -> int:
    with database.connect() as connection, reading(connection, "sqlite", snapshot=True, others=3) as reader:
        return 1 + len(reader.others)


# --- one answer


@pytest.mark.usefixtures("all_are_large")
@pytest.mark.parametrize("threads", [1, 2, 4])
def test_the_answer_is_that_of_one_thread(threads: int, make_database: MakeDatabase) -> None:
    database = make_database("sqlite")
    for migration in MIGRATIONS:
        database.script(migration.script("sqlite"))
    database.script(sample_rows(HEAD))
    broken = "".join(f"UPDATE scenes SET manuscript_id = 'gone{n}' WHERE rowid = {n};" for n in (4, 2, 3))
    database.script(broken + "UPDATE scenes SET position = -1; UPDATE entities SET aliases = 'x', type = 'y'")
    with database.connect() as connection:
        with pytest.MonkeyPatch.context() as small:
            small.setattr(catalog_sqlite, "LARGE_BYTES", 2**40)
            expected = verify(connection, "sqlite", threads=1)
        report = verify(connection, "sqlite", threads=threads)
    assert told(report) == told(expected)
    assert [one.key for one in report.failed()[0].sample] == [one.key for one in expected.failed()[0].sample]
    assert report.failed()[0].violations == 3
    assert [list(one.fingerprints) for one in report.checks] == [list(one.fingerprints) for one in expected.checks]


TYPES = ("TEXT", "INTEGER", "REAL", "NUMERIC", "BLOB", "", "TEXT COLLATE NOCASE", "VARCHAR(9) COLLATE RTRIM", "INT")
VALUES = (1, 1.0, 1.5, "1", "1.0", "01", "1 ", " 1", "a", "A", "a ", b"1", b"a", 0, -0.0, 2**53, 2**53 + 1, 1e300, "")


@pytest.mark.usefixtures("all_are_large")
@pytest.mark.parametrize("seed", range(3))
def test_the_orphans_of_large_tables_are_those_that_sqlite_itself_sees(seed: int, make_database: MakeDatabase) -> None:
    database = make_database("sqlite")
    chance = random.Random(seed)
    with database.connect() as connection:
        connection.execute("BEGIN")
        for number, (parent, child) in enumerate(itertools.product(TYPES, TYPES)):
            connection.execute(f"CREATE TABLE p{number} (id {parent}, b {child}, UNIQUE (id), UNIQUE (id, b))")
            connection.execute(
                f"CREATE TABLE c{number} (id INTEGER PRIMARY KEY, x {child} REFERENCES p{number} (id), y {parent},"
                f" z {child}, FOREIGN KEY (y, z) REFERENCES p{number} (id, b))"
            )
            for value in chance.sample(VALUES, 7):
                connection.execute(f"INSERT OR IGNORE INTO p{number} VALUES (?, ?)", (value, chance.choice(VALUES)))
            rows = [(value, chance.choice((*VALUES, None)), chance.choice((*VALUES, None))) for value in VALUES]
            connection.executemany(f"INSERT INTO c{number} (x, y, z) VALUES (?, ?, ?)", rows)
        connection.execute("COMMIT")
        theirs = {(table, str(row), key) for table, row, _, key in connection.execute("PRAGMA foreign_key_check")}
        orphans = [check for check in list_checks(connection, "sqlite") if check.kind == "orphan"]
        merged = [check for check in orphans if "EXCEPT" in check.sql]
        report = verify(connection, "sqlite", sample=100)
    assert 16 == len(merged) < len(report.failed())  # where the types allow it, and elsewhere not
    ours = {(one.table, one.key, int("(x)" not in r.name)) for r in report.failed() for one in r.sample}
    assert {(table, key) for table, key, _ in ours} == {(table, key) for table, key, _ in theirs}
    assert len(ours) == len(theirs)
    assert {result.name: result.status for result in report.checks}["foreign-key-check"] == "passed"


@pytest.mark.usefixtures("all_are_large")
def test_the_first_error_in_the_order_of_the_checks_is_the_one_that_is_told(
    make_database: MakeDatabase, tmp_path: Path
) -> None:
    database = make_database("sqlite")
    database.script(CHILDREN)
    slow = "WITH RECURSIVE n (i) AS (VALUES (0) UNION ALL SELECT i + 1 FROM n WHERE i < 300000) SELECT max(i) FROM n"
    for name, wrong in (("a-late", f"nope({slow})"), ("b-soon", "soon()"), ("c-soon", "soon()")):
        sql = f"SELECT 'x' AS table_name, ({slow}) AS row_key, {wrong} AS detail FROM children"
        check_file(tmp_path, name, sql if name == "a-late" else sql.replace(slow, "1"))
    with database.connect() as connection:
        connection.create_function("soon", 0, lambda: 1 / 0)
        for _ in range(3):
            with pytest.raises(VerifyError, match='the check "a-late"') as caught:
                verify(connection, "sqlite", checks_dirs=[tmp_path], threads=3)
            assert caught.value.file == tmp_path / "a-late.sql"


@pytest.mark.usefixtures("all_are_large")
def test_what_only_the_callers_connection_has_is_used_all_the_same(make_database: MakeDatabase, tmp_path: Path) -> None:
    database = make_database("sqlite")
    check_file(tmp_path, "mine", "SELECT 't' AS table_name, id AS row_key, mine(id) AS detail FROM children")
    with database.connect() as connection:
        connection.create_function("mine", 1, lambda text: f"my {text}", deterministic=True)
        connection.create_collation("backwards", lambda a, b: (a < b) - (a > b))
        connection.executescript(
            CHILDREN + "CREATE TABLE odd (id TEXT COLLATE backwards PRIMARY KEY, CHECK (id <> ''))"
        )
        report = verify(connection, "sqlite", checks_dirs=[tmp_path], threads=2)
    (result,) = [one for one in report.checks if one.name == "mine"]
    assert {one.detail for one in result.sample} == {"my good", "my none", "my lost"}


@pytest.mark.usefixtures("all_are_large")
def test_of_a_damaged_file_the_same_is_said(make_database: MakeDatabase) -> None:
    database = make_database("sqlite")
    rows = ", ".join(f"('{number:09}', '{'x' * 400}')" for number in range(200))
    database.script(
        "CREATE TABLE good (id TEXT PRIMARY KEY); CREATE TABLE torn (id TEXT PRIMARY KEY, x TEXT, CHECK (id > ''));"
        f"INSERT INTO torn VALUES {rows}; CREATE TABLE gone (x); INSERT INTO gone SELECT x FROM torn; DROP TABLE gone"
    )
    assert database.path is not None
    whole = database.path.read_bytes()
    page = int.from_bytes(whole[16:18], "big")
    root = database.value("SELECT rootpage FROM sqlite_master WHERE name = 'sqlite_autoindex_torn_1'")
    trunk = int.from_bytes(whole[32:36], "big")  # of the list of free pages, which belongs to no table
    for place in (root, trunk):
        data = bytearray(whole)
        data[(place - 1) * page : place * page] = b"\xff" * page
        database.path.write_bytes(data)
        with database.connect() as connection:
            alone, shared = (verify(connection, "sqlite", threads=threads) for threads in (1, 3))
        assert alone.checks[0].status == "failed"
        assert told(shared) == told(alone)


@pytest.mark.usefixtures("all_are_large")
def test_a_broken_check_constraint_is_found_on_a_connection_that_could_write(make_database: MakeDatabase) -> None:
    database = make_database("sqlite")
    database.script("CREATE TABLE t (id INTEGER PRIMARY KEY, x CHECK (x > 0)); PRAGMA ignore_check_constraints = 1")
    with database.connect() as connection:
        connection.execute("PRAGMA ignore_check_constraints = 1")
        connection.execute("INSERT INTO t VALUES (1, -1)")
        connection.execute("PRAGMA ignore_check_constraints = 0")
        assert verify(connection, "sqlite", threads=3).failed()[0].name == "integrity-check"


# --- one commit


@pytest.mark.usefixtures("all_are_large")
@pytest.mark.parametrize("mode", ["wal", "delete"])
def test_all_connections_see_one_commit_while_another_program_writes(
    mode: str, make_database: MakeDatabase, tmp_path: Path
) -> None:
    """Each commit adds a row to all of twelve tables: counts that differ would be of different commits."""
    database = make_database("sqlite")
    database.query(f"PRAGMA journal_mode = {mode}")
    tables = [f"t{number}" for number in range(12)]
    database.script("".join(f"CREATE TABLE {table} (id INTEGER PRIMARY KEY);" for table in tables))
    stop = threading.Event()
    commits = 0

    def write() -> None:
        nonlocal commits
        with closing(sqlite3.connect(database.path, isolation_level=None, timeout=30)) as writer:  # type: ignore[arg-type]
            writer.execute("PRAGMA synchronous = OFF")
            while not stop.is_set():
                writer.executescript(
                    "BEGIN IMMEDIATE;" + "".join(f"INSERT INTO {table} VALUES (NULL);" for table in tables) + "COMMIT"
                )
                commits += 1
                stop.wait(0.001)

    thread = threading.Thread(target=write)
    thread.start()
    shared = tries = 0
    try:
        with closing(sqlite3.connect(database.path, isolation_level=None, timeout=30)) as connection:  # type: ignore[arg-type]
            while (commits < 25 or shared < 10) and (tries := tries + 1) < 500:
                with reading(connection, "sqlite", snapshot=True, others=2) as reader:
                    shared += bool(reader.others)
                counts = verify(connection, "sqlite", threads=3).counts
                assert len(set(counts.values())) == 1, counts
    finally:
        stop.set()
        thread.join()
    assert commits >= 25
    assert shared >= 10


@pytest.mark.usefixtures("all_are_large")
def test_a_commit_between_two_beginnings_is_noticed(
    make_database: MakeDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = make_database("sqlite")
    database.script(CHILDREN)
    database.query("PRAGMA journal_mode = WAL")
    query = SqliteReader.query
    writes = iter(range(100))
    wanted = 3

    def meddling(self: SqliteReader, sql: str) -> list[tuple[Any, ...]]:
        if sql == "BEGIN" and (number := next(writes)) < wanted:
            database.script(f"INSERT INTO parents VALUES ('new {number}')")
        return query(self, sql)

    monkeypatch.setattr(SqliteReader, "query", meddling)
    monkeypatch.setattr(snapshot_sqlite, "_PAUSE_SECONDS", 0)
    with database.connect() as connection, reading(connection, "sqlite", snapshot=True, others=2) as reader:
        everybody = [reader, *reader.others]
        assert len(everybody) == 3
        assert [one.query("SELECT count(*) FROM parents") for one in everybody] == [[(4,)]] * 3
    # Who never finds a quiet moment goes on alone.
    wanted = 10**6
    writes = iter(range(1000, 10**6))
    with database.connect() as connection, reading(connection, "sqlite", snapshot=True, others=2) as reader:
        assert not reader.others
        assert reader.query("SELECT count(*) FROM parents WHERE id = 'p'") == [(1,)]


@pytest.mark.usefixtures("all_are_large")
def test_where_other_connections_would_see_something_else_there_are_none(tmp_path: Path) -> None:
    database = sqlite_database(tmp_path / "a #?%41.db")
    database.script(CHILDREN)
    assert readers(database) == 4
    statements = ["ATTACH ':memory:' AS more", "CREATE TEMP TABLE children (id)"]
    for statement in statements:
        with database.connect() as connection:
            connection.execute(statement)
            with reading(connection, "sqlite", snapshot=True, others=3) as reader:
                assert not reader.others
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        connection.executescript(CHILDREN)
        assert len(verify(connection, "sqlite", threads=4).failed()) == 1
    with database.connect() as connection:
        connection.execute("BEGIN")  # the gate
        connection.execute("DELETE FROM children")
        assert not verify(connection, "sqlite", snapshot=False, threads=4).failed()
        connection.execute("ROLLBACK")


@pytest.mark.usefixtures("all_are_large")
def test_another_file_of_the_same_name_is_not_taken_for_it(tmp_path: Path) -> None:
    database = sqlite_database(tmp_path / "a.db")
    database.script(CHILDREN)
    with database.connect() as connection:
        connection.execute("SELECT * FROM children").fetchall()
        (tmp_path / "a.db").rename(tmp_path / "b.db")
        database.script("CREATE TABLE parents (id)")
        assert verify(connection, "sqlite", threads=4).counts == {"children": 3, "parents": 1}


def test_a_small_file_is_read_by_one_connection(make_database: MakeDatabase) -> None:
    database = make_database("sqlite")
    database.script(CHILDREN)
    assert readers(database) == 1


@pytest.mark.usefixtures("all_are_large")
def test_the_connection_is_left_as_it_was_and_the_file_too(make_database: MakeDatabase) -> None:
    database = make_database("sqlite")
    database.script(CHILDREN)
    assert database.path is not None
    with database.connect() as connection:
        connection.execute("PRAGMA cache_size = 123")
        connection.text_factory = bytes
        verify(connection, "sqlite", threads=4)
        assert connection.text_factory is bytes
        assert connection.execute("PRAGMA cache_size").fetchone() == (123,)
        assert connection.execute("PRAGMA query_only").fetchone() == (0,)
        assert not connection.in_transaction
    assert [path.name for path in database.path.parent.glob(f"{database.path.name}*")] == [database.path.name]
    assert threading.active_count() == 1 or not any("_work" in one.name for one in threading.enumerate())


# --- told to stop

ENDLESS = (
    "WITH RECURSIVE n (i) AS (VALUES (0) UNION ALL SELECT i + 1 FROM n)"
    " SELECT 'x' AS table_name, 'y' AS row_key, 'z' AS detail FROM n WHERE i < 0"
)


@pytest.fixture
def endless(make_database: MakeDatabase, tmp_path: Path) -> Iterator[tuple[Database, Path]]:
    """A database, and a check that another connection takes and never ends."""
    database = make_database("sqlite")
    database.script(CHILDREN)
    folder = tmp_path / "checks"
    folder.mkdir()
    check_file(folder, "endless", ENDLESS)
    yield database, folder


@pytest.mark.usefixtures("all_are_large")
def test_an_interrupt_of_the_callers_connection_ends_all_threads(endless: tuple[Database, Path]) -> None:
    database, folder = endless
    with database.connect() as connection:
        done = threading.Event()

        def interrupt() -> None:
            while not done.wait(0.05):
                connection.interrupt()

        def begin(check: Check, place: int, number: int) -> None:
            if check.name == "endless":
                threading.Thread(target=interrupt, daemon=True).start()

        before = threading.active_count()
        try:
            with pytest.raises(VerifyError, match="interrupted"):
                verify(connection, "sqlite", checks_dirs=[folder], threads=3, progress=begin)
        finally:
            done.set()
        assert not connection.in_transaction
    assert threading.active_count() <= before + 1
