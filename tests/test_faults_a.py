"""Crashes, locks and runs beside each other: the rows A1 to A20 of the fault matrix that no other file has.

After each fault four things have to hold: nothing is lost, the marks say what the schema is, message and exit code name
the true cause, and the next ordinary command works. ``docs/reliability.md`` lists the rows by these tests' names.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import psycopg2
import pytest

from tests.support.databases import Database, rows_of, run_as_admin
from tests.support.folders import footprint
from tests.support.maxwell_schema import raw_catalog
from tests.support.migrations import AUTHOR, BOOK, PRICE, Folder, held_locks, ledger, library, log, marks
from tests.support.tool import maxwell_db
from tests.test_lock import SLOW, at_work, is_running, sleeping, start, wait_until

MakeDatabase = Callable[[str], Database]
LIBRARY = [AUTHOR, BOOK, PRICE]
SHELF = ("CREATE TABLE shelf (id INTEGER);\n", "DROP TABLE shelf;\n")
RUNS = "datname = current_database() AND application_name LIKE 'maxwell-db apply%'"
INDEX = "004_index"


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    """The three migrations of a library."""
    return library(tmp_path)


@pytest.fixture
def pg(make_database: MakeDatabase, pg_url: str) -> Database:
    """An empty PostgreSQL database."""
    return make_database("postgres")


def state(database: Database) -> tuple[Any, ...]:
    """Schema, rows and marks: what a run that is over without success must not have changed."""
    return raw_catalog(database), rows_of(database, sorted(database.tables())), marks(database)


def assert_next_run_is_right(database: Database, folder: Folder, id: str = SLOW) -> None:
    """The corrected migration is applied by an ordinary run, once, and nobody's lock is left."""
    folder.add(id, *SHELF)
    folder.run("apply", "--lock-wait", "10", database=database)
    assert marks(database) == [*LIBRARY, id]
    assert log(database).count(("apply", id)) == 1
    assert "shelf" in database.tables()
    assert held_locks(database) == []
    if database.path is not None:
        assert database.query("PRAGMA integrity_check") == [("ok",)]


def no_session_is_left(database: Database, seconds: float = 5) -> None:
    """The server has ended what a run began."""
    wait_until(
        lambda: not database.value(f"SELECT count(*) FROM pg_stat_activity WHERE {RUNS}"),
        "a dead run's session lives on in the server",
        seconds,
    )


# A5, A8, A9: who looks, who breaks locks, who waits.


def test_a05_the_row_of_a_dead_yoyo_keeps_nobody_from_looking(database: Database, folder: Folder) -> None:
    """What only looks answers at once beside any lock, alive or dead, and changes no byte."""
    folder.run("apply", BOOK, database=database)
    database.script("INSERT INTO yoyo_lock (locked, ctime, pid) VALUES (1, '2020-01-01 00:00:00', 4194305)")
    before = footprint(database)
    started = time.monotonic()
    assert folder.states(database) == {AUTHOR: "applied", BOOK: "applied", PRICE: "pending"}
    for command in (("history",), ("apply", "--dry-run")):
        folder.run(*command, database=database)
    assert maxwell_db("verify", database=database, sql=None).exit_code == 0
    assert time.monotonic() - started < 5
    assert footprint(database) == before
    folder.run("unlock", database=database)
    folder.run("apply", database=database)
    assert marks(database) == LIBRARY


@pytest.mark.skipif(os.getuid() != 0, reason="who is no root is kept out by the mode itself, and other tests see that")
def test_a05_e05_a_read_only_file_can_be_looked_at_and_says_why_it_is_not_written(make_database: MakeDatabase) -> None:
    """A read-only file answers status, and apply names the cause at once."""
    uid = 12346
    own = Path(tempfile.mkdtemp(prefix="maxwell-ro-"))
    try:
        folder = library(own)
        database = own / "data.db"
        assert maxwell_db("apply", BOOK, database=f"sqlite:///{database}", sql=folder.path).exit_code == 0
        database.chmod(0o444)
        own.chmod(0o755)
        answers = [
            as_user(uid, own, "-d", f"sqlite:///{database}", "--sql", str(folder.path), command)
            for command in ("status", "apply")
        ]
        database.chmod(0o644)
        assert [code for code, _ in answers] == [0, 1]
        assert "cannot be written" in answers[1][1] and str(database) in answers[1][1]
        assert "Traceback" not in answers[1][1]
        assert maxwell_db("apply", database=f"sqlite:///{database}", sql=folder.path).exit_code == 0
    finally:
        for path in sorted(own.rglob("*"), reverse=True):
            path.rmdir() if path.is_dir() else path.unlink()
        own.rmdir()


def as_user(uid: int, folder: Path, *arguments: str) -> tuple[int, str]:
    """Exit code and words of a run of another user, forked because that one may not read the interpreter's files."""
    from runner.cli import main

    words = folder / "words"
    child = os.fork()
    if child == 0:
        code = 99
        try:
            output = os.open(words, os.O_RDWR | os.O_CREAT | os.O_TRUNC)
            os.dup2(output, 1)
            os.dup2(output, 2)
            sys.stdout, sys.stderr = os.fdopen(1, "w", closefd=False), os.fdopen(2, "w", closefd=False)
            os.setgroups([])
            os.setgid(uid)
            os.setuid(uid)
            os.environ.clear()
            os.chdir(folder)
            code = main(list(arguments))
            sys.stdout.flush()
            sys.stderr.flush()
        finally:
            os._exit(code)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return code, words.read_text()


def test_a08_there_is_no_lock_of_ours_to_break(database: Database, folder: Folder) -> None:
    """No verb breaks the lock of a live run: unlock finds nothing of ours, and the run ends as if alone."""
    assert maxwell_db("break-lock", database=database, sql=folder.path).exit_code == 2
    with at_work(database, folder, 1.0) as holder:
        result = folder.run("unlock", "--force", database=database)
        assert "Nothing to unlock" in result.stdout
        folder.error("apply", "--lock-wait", "0", database=database, expect=5)
        assert holder.wait(20) == 0
    assert marks(database) == [*LIBRARY, SLOW]
    assert log(database).count(("apply", SLOW)) == 1
    assert folder.run("apply", database=database).stdout.startswith("Nothing to do")


def test_a09_what_is_pending_is_asked_again_under_the_lock(database: Database, folder: Folder) -> None:
    """A run that waited looks again at what is pending, so that nothing runs twice."""
    with at_work(database, folder, 1.0) as holder:
        database_rows = "INSERT INTO author (id, name) SELECT max(id) + 1, 'one of ' || max(id) FROM author;\n"
        folder.add("005_more", database_rows, "DELETE FROM author WHERE id > 2;\n")
        waiters = [start("apply", database=database, folder=folder) for _ in range(2)]
        answers = [waiter.communicate(timeout=60) for waiter in waiters]
        assert holder.wait(20) == 0
    assert [waiter.returncode for waiter in waiters] == [0, 0], answers
    assert sorted(stdout.startswith("Nothing to do") for stdout, _ in answers) == [False, True]
    assert database.value("SELECT count(*) FROM author") == 3
    assert log(database).count(("apply", "005_more")) == 1
    assert marks(database) == [*LIBRARY, SLOW, "005_more"]


# A10, A11: told to stop.

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def test_a10_a11_a_signal_in_a_long_statement_ends_it_at_once(
    dialect: str, make_database: MakeDatabase, folder: Folder
) -> None:
    """Ctrl-C, SIGTERM and SIGHUP cancel the running statement and roll it back; exit 130, 143, 129 within a second."""
    databases = [make_database(dialect) for _ in SIGNALS]
    for database in databases:
        folder.run("apply", database=database)
    text = f"CREATE TABLE shelf (id INTEGER);\nDELETE FROM author;\n{sleeping(databases[0], 8)}\n"
    folder.add(SLOW, text, "DROP TABLE shelf;\n")
    before = [state(database) for database in databases]
    runs = [start("apply", "--no-verify", database=database, folder=folder) for database in databases]
    try:
        for database in databases:
            wait_until(partial(is_running, database), "the slow migration does not begin")
        time.sleep(1)
        for number, run in zip(SIGNALS, runs, strict=True):
            run.send_signal(number)
        started = time.monotonic()
        for number, run in zip(SIGNALS, runs, strict=True):
            _, stderr = run.communicate(timeout=20)
            assert time.monotonic() - started < 4
            assert run.returncode == 128 + number
            assert "interrupted; what was running is rolled back" in stderr
            assert "Traceback" not in stderr
    finally:
        for run in runs:
            run.kill()
            run.communicate()
    for database, was in zip(databases, before, strict=True):
        if dialect == "postgres":
            no_session_is_left(database, 3)
        assert state(database) == was
        assert_next_run_is_right(database, folder)


def test_a11_one_that_waits_for_its_turn_can_be_told_to_stop(database: Database, folder: Folder) -> None:
    """A run that waits for another one stops as well, and leaves that one alone."""
    with at_work(database, folder, 30) as holder:
        waiter = start("apply", database=database, folder=folder)
        assert waiter.stderr is not None
        assert "waiting up to 60 s" in waiter.stderr.readline()
        waiter.send_signal(signal.SIGTERM)
        started = time.monotonic()
        stdout, stderr = waiter.communicate(timeout=20)
        assert time.monotonic() - started < 4
        assert (waiter.returncode, stdout) == (143, "")
        assert "error: interrupted" in stderr and "Traceback" not in stderr
        assert holder.poll() is None
        assert is_running(database)


def test_a10_one_that_waits_for_a_table_can_be_told_to_stop(pg: Database, folder: Folder) -> None:
    """A migration that tries again and again for a table's lock stops when it is told to."""
    folder.run("apply", BOOK, database=pg)
    before = state(pg)
    with reading(pg, "book"):
        run = start("apply", "--ddl-lock-try", "0.2", "--ddl-lock-timeout", "60", database=pg, folder=folder)
        assert run.stderr is not None
        assert "trying again" in run.stderr.readline()
        run.send_signal(signal.SIGINT)
        started = time.monotonic()
        _, stderr = run.communicate(timeout=20)
        assert time.monotonic() - started < 6
        assert run.returncode == 130, stderr
        assert "Traceback" not in stderr
    no_session_is_left(pg)
    assert state(pg) == before
    folder.run("apply", database=pg)
    assert marks(pg) == LIBRARY


def test_a10_ctrl_c_outside_a_transaction_is_told_of_and_settled(pg: Database, folder: Folder) -> None:
    """Outside a transaction Ctrl-C leaves a note: status says unfinished, and repair settles it."""
    with building(pg, folder) as run:
        run.send_signal(signal.SIGINT)
        _, stderr = run.communicate(timeout=20)
        assert run.returncode == 130 and "Traceback" not in stderr
        no_session_is_left(pg)
    assert_repair_settles(pg, folder)


@contextmanager
def reading(database: Database, table: str) -> Iterator[None]:
    """Somebody else's transaction, which has read a table and stays open."""
    with database.connect() as connection, closing(connection.cursor()) as cursor:
        cursor.execute(f"SET application_name = 'a long report'; BEGIN; SELECT count(*) FROM {table}")
        yield


@contextmanager
def building(database: Database, folder: Folder) -> Iterator[subprocess.Popen[str]]:
    """A run that builds an index CONCURRENTLY and waits for somebody's transaction."""
    folder.run("apply", database=database)
    folder.add(
        INDEX,
        "CREATE INDEX CONCURRENTLY IF NOT EXISTS book_price ON book (price);\n",
        "DROP INDEX CONCURRENTLY book_price;\n",
        transactional="false",
    )
    with database.connect() as connection, closing(connection.cursor()) as cursor:
        cursor.execute("BEGIN; INSERT INTO book (id, author_id, price) VALUES (1, 1, 7)")
        run = start("apply", database=database, folder=folder)
        try:
            wait_until(
                lambda: database.value("SELECT count(*) FROM pg_index WHERE indexrelid = to_regclass('book_price')"),
                "the index is not begun",
            )
            yield run
        finally:
            run.kill()
            run.communicate()
            if not connection.closed:
                with suppress(psycopg2.Error):  # it may have been ended
                    cursor.execute("COMMIT")


def assert_repair_settles(database: Database, folder: Folder) -> None:
    """Nothing goes on before it is settled; repair drops what is invalid, and then an ordinary run ends right."""
    assert folder.states(database)[INDEX] == "unfinished"
    assert marks(database) == LIBRARY
    error = folder.error("apply", database=database, expect=8)
    assert error["code"] == "UNFINISHED" and "maxwell-db repair" in error["hint"]
    folder.run("repair", database=database)
    assert folder.states(database)[INDEX] == "pending"
    folder.run("apply", database=database)
    assert marks(database) == [*LIBRARY, INDEX]
    assert database.value("SELECT indisvalid FROM pg_index WHERE indexrelid = 'book_price'::regclass") is True
    assert database.query("SELECT id, price FROM book") == [(1, 7)]


# A12 to A14: the connection.


def test_a12_the_server_does_not_go_on_for_a_killed_run(pg: Database, folder: Folder) -> None:
    """The server ends a killed run's statement within seconds, and nothing of it is committed later."""
    with at_work(pg, folder, 60) as holder:
        holder.send_signal(signal.SIGKILL)
        holder.wait()
        no_session_is_left(pg)
    assert marks(pg) == LIBRARY and "shelf" not in pg.tables()
    assert_next_run_is_right(pg, folder)


def test_a12_nor_for_a_statement_outside_a_transaction(pg: Database, folder: Folder) -> None:
    """A killed run's statement outside a transaction is ended too; it is unfinished until repair has the word."""
    folder.run("apply", database=pg)
    folder.add(
        SLOW,
        "INSERT INTO author (id, name) SELECT 3, 'late' FROM pg_sleep(60);\n",
        "DELETE FROM author WHERE id = 3;\n",
        transactional="false",
    )
    run = start("apply", database=pg, folder=folder)
    wait_until(lambda: is_running(pg), "the slow statement does not begin")
    run.kill()
    run.communicate()
    no_session_is_left(pg)
    assert pg.value("SELECT count(*) FROM author") == 2
    assert folder.states(pg)[SLOW] == "unfinished"
    folder.run("apply", database=pg, expect=8)
    folder.run("repair", "--as", "pending", database=pg)
    folder.add(SLOW, "INSERT INTO author (id, name) VALUES (3, 'late');\n", "DELETE FROM author WHERE id = 3;\n")
    folder.run("apply", database=pg)
    assert marks(pg) == [*LIBRARY, SLOW] and ledger(pg, "unfinished") == {}


def cut(database: Database) -> int:
    """End every session of a run, as a firewall or an administrator does; how many there were."""
    rows = database.query(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {RUNS}")
    return len(rows)


def test_a13_there_is_one_connection_and_no_second_one_to_lose(pg: Database, folder: Folder) -> None:
    """Lock, migration and marks are one session: when it is cut, all of it is undone, and the cause is said."""
    with at_work(pg, folder, 60) as holder:
        assert cut(pg) == 1, "a run has one session"
        stdout, stderr = holder.communicate(timeout=20)
        assert (holder.returncode, stdout) == (1, "")
        assert "server closed the connection" in stderr and "Traceback" not in stderr
        assert "Correct the file" not in stderr, "nothing is wrong with the file"
    assert marks(pg) == LIBRARY and "shelf" not in pg.tables()
    assert_next_run_is_right(pg, folder)


def test_a14_a_cut_outside_a_transaction_is_told_of_and_settled(pg: Database, folder: Folder) -> None:
    """A cut connection is one line; outside a transaction the journal says so, exit 8, and repair settles it."""
    with building(pg, folder) as run:
        assert cut(pg) == 1
        stdout, stderr = run.communicate(timeout=20)
        assert (run.returncode, stdout) == (8, "")
        assert "server closed the connection" in stderr and "Traceback" not in stderr
    assert_repair_settles(pg, folder)


# A18: locks of tables.


def test_a18_other_readers_get_through_beside_a_waiting_alter_and_the_alter_too(pg: Database, folder: Folder) -> None:
    """An ALTER behind a reader gives way after --ddl-lock-try, tries again, names who is in the way, gets through."""
    folder.run("apply", BOOK, database=pg)
    worst, reads = 0.0, 0
    with reading(pg, "book") as _, pg.connect() as other, closing(other.cursor()) as cursor:
        run = start("apply", "--ddl-lock-try", "0.2", "--ddl-lock-timeout", "60", database=pg, folder=folder)
        assert run.stderr is not None
        first = run.stderr.readline()
        deadline = time.monotonic() + 1.5
        while time.monotonic() < deadline:
            started = time.monotonic()
            cursor.execute("SELECT count(*) FROM book")
            worst, reads = max(worst, time.monotonic() - started), reads + 1
        assert run.poll() is None, "the reader is still there"
    _, stderr = run.communicate(timeout=30)
    assert run.returncode == 0, stderr
    assert f"{PRICE}: " in first and "lock timeout" in first and "a long report" in first
    assert reads > 5 and worst < 1.0, f"a reader waited {worst:.1f} s"
    assert marks(pg) == LIBRARY
    assert log(pg).count(("apply", PRICE)) == 1


@pytest.mark.parametrize("transactional", ["true", "false"])
def test_a18_a_statement_is_given_up_after_its_time(pg: Database, folder: Folder, transactional: str) -> None:
    """With --statement-timeout a statement that takes longer is cancelled and rolled back, exit 1."""
    folder.run("apply", database=pg)
    before = state(pg)
    text = "DO $$ BEGIN CREATE TABLE shelf (id INTEGER); PERFORM pg_sleep(60); END $$;\n"
    path = folder.add(SLOW, text, "DROP TABLE shelf;\n", transactional=transactional)
    expected = 1 if transactional == "true" else 8
    error = folder.error("apply", "--statement-timeout", "0.3", database=pg, expect=expected)
    assert "(SQLSTATE 57014)" in error["message"] and error["file"] == str(path)
    if expected == 8:
        folder.run("repair", "--as", "pending", database=pg)
    assert state(pg) == before
    assert_next_run_is_right(pg, folder)


def test_a18_the_time_of_a_statement_holds_for_rollbacks(pg: Database, folder: Folder) -> None:
    """A rollback is given up after its time as well, and leaves everything applied."""
    folder.add(SLOW, SHELF[0], f"DROP TABLE shelf;\n{sleeping(pg, 60)}\n")
    folder.run("apply", database=pg)
    before = state(pg)
    error = folder.error("rollback", "--yes", "--statement-timeout", "0.3", database=pg, expect=1)
    assert "(SQLSTATE 57014)" in error["message"]
    assert state(pg) == before


# A20: an index that is built while others wait.


def test_a20_an_index_is_built_while_a_second_run_waits_and_names_it(pg: Database, folder: Folder) -> None:
    """A waiter polls without a transaction of its own, so CREATE INDEX CONCURRENTLY does not wait for it."""
    with building(pg, folder) as first, beside("--lock-wait", "60", database=pg, folder=folder) as second:
        assert second.stderr is not None
        assert f"pid {first.pid} of " in second.stderr.readline()
        transactions = f"SELECT count(*) FROM pg_stat_activity WHERE {RUNS} AND state LIKE 'idle in transaction%'"
        assert pg.value(transactions) == 0
        run_as_admin(
            pg.url,
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()"
            " AND state = 'idle in transaction'",
        )  # whom the index waits for
        for run in (first, second):
            stdout, stderr = run.communicate(timeout=30)
            assert run.returncode == 0, stdout + stderr
    assert pg.value("SELECT indisvalid FROM pg_index WHERE indexrelid = 'book_price'::regclass") is True
    assert marks(pg) == [*LIBRARY, INDEX]


@contextmanager
def beside(*options: str, database: Database, folder: Folder) -> Iterator[subprocess.Popen[str]]:
    """A second run, which does not outlive the test."""
    run = start("apply", *options, database=database, folder=folder)
    try:
        yield run
    finally:
        run.kill()
        run.communicate()
