"""One run at a time: the second waits and says for whom; a lock dies with its process; plain yoyo is kept out too."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.databases import Database
from tests.support.migrations import AUTHOR, BOOK, PRICE, Folder, held_locks, library, log, marks
from tests.support.tool import clean_environment, yoyo

SLOW = "004_slow"


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    """The three migrations of a library."""
    return library(tmp_path)


def sleeping(database: Database, seconds: float) -> str:
    """A statement that takes about that long."""
    if database.dialect == "postgres":
        return f"SELECT pg_sleep({seconds});"
    steps = int(seconds * 4_000_000)
    return f"WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {steps}) SELECT max(i) FROM n;"


def start(*arguments: str, database: Database, folder: Folder) -> subprocess.Popen[str]:
    """Run maxwell-db as a program beside this one."""
    return subprocess.Popen(
        [sys.executable, "-m", "runner", "--database", database.url, "--sql", str(folder.path), *arguments],
        cwd=folder.path.parent,
        env=clean_environment(None),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@contextmanager
def at_work(database: Database, folder: Folder, seconds: float) -> Iterator[subprocess.Popen[str]]:
    """Another run, in the middle of a slow migration."""
    folder.run("apply", database=database)
    folder.add(SLOW, f"CREATE TABLE shelf (id INTEGER);\n{sleeping(database, seconds)}\n", "DROP TABLE shelf;\n")
    holder = start("apply", database=database, folder=folder)
    try:
        wait_until(lambda: is_running(database), "the slow migration does not begin")
        yield holder
    finally:
        holder.kill()
        holder.communicate()


def is_running(database: Database) -> bool:
    """Is a migration's transaction open, so that a lock is held?"""
    if database.dialect == "postgres":
        return bool(
            database.value(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
                " AND application_name LIKE 'maxwell-db apply%' AND query LIKE '%pg_sleep%' AND state = 'active'"
            )
        )
    assert database.path is not None
    return Path(f"{database.path}-journal").exists()


def wait_until(condition: Callable[[], object], otherwise: str, seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, otherwise
        time.sleep(0.02)


# Two of ours.


def test_a07_the_second_run_waits_names_the_holder_and_then_has_nothing_to_do(
    database: Database, folder: Folder
) -> None:
    with at_work(database, folder, 1.5) as holder:
        started = time.monotonic()
        result = folder.run("apply", "--lock-wait", "60", database=database)
        waited = time.monotonic() - started
        assert holder.wait(20) == 0
    assert waited > 0.3
    (line,) = [line for line in result.stderr.splitlines() if "waiting" in line]
    assert "apply" in line
    assert f"pid {holder.pid} of " in line
    assert re.search(r"of \S+@\S+", line), "user and host"
    assert re.search(r"since \d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", line)
    assert result.stdout.startswith("Nothing to do")
    assert log(database).count(("apply", SLOW)) == 1
    assert held_locks(database) == []


WRITES = [("apply",), ("rollback", "--yes"), ("stamp", "base", "--force")]


@pytest.mark.parametrize("command", WRITES, ids=lambda c: c[0])
def test_a07_a_wait_that_is_over_changes_nothing_and_says_who_holds_it(
    database: Database, folder: Folder, command: tuple[str, ...]
) -> None:
    with at_work(database, folder, 30) as holder:
        started = time.monotonic()
        error = folder.error(*command, "--lock-wait", "0.4", database=database, expect=5)
        assert 0.3 < time.monotonic() - started < 5
        assert error["code"] == "LOCK_TIMEOUT"
        assert f"pid {holder.pid} of " in error["message"]
        assert "--lock-wait" in error["hint"]
        assert marks(database) == [AUTHOR, BOOK, PRICE]


def test_a04_the_lock_dies_with_a_killed_run_and_the_next_one_just_works(database: Database, folder: Folder) -> None:
    with at_work(database, folder, 30) as holder:
        holder.send_signal(signal.SIGKILL)
        holder.wait()
        folder.add(SLOW, "CREATE TABLE shelf (id INTEGER);\n", "DROP TABLE shelf;\n")
        started = time.monotonic()
        folder.run("apply", "--lock-wait", "10", database=database)
        assert time.monotonic() - started < 5, "the dead run's statement went on"
    assert marks(database) == [AUTHOR, BOOK, PRICE, SLOW]
    assert held_locks(database) == []
    if database.path is not None:
        assert not Path(f"{database.path}.maxwell-lock").exists()


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_a10_a11_a_signal_rolls_back_what_is_running_and_leaves_no_lock(
    database: Database, folder: Folder, name: str
) -> None:
    with at_work(database, folder, 30) as holder:
        holder.send_signal(getattr(signal, name))
        started = time.monotonic()
        holder.wait(20)
        assert time.monotonic() - started < 3
        assert holder.returncode == 128 + getattr(signal, name)
        folder.add(SLOW, "CREATE TABLE shelf (id INTEGER);\n", "DROP TABLE shelf;\n")
        folder.run("apply", "--lock-wait", "10", database=database)
    assert held_locks(database) == []
    assert log(database).count(("apply", SLOW)) == 1


def test_a05_status_history_and_dry_run_answer_while_a_run_is_at_work(database: Database, folder: Folder) -> None:
    with at_work(database, folder, 30) as holder:
        started = time.monotonic()
        assert folder.states(database)[SLOW] == "pending"
        folder.run("history", database=database)
        folder.run("apply", "--dry-run", database=database)
        assert time.monotonic() - started < 5
        assert holder.poll() is None


def test_a06_four_runs_on_a_new_database_apply_each_migration_once(database: Database, folder: Folder) -> None:
    runs = [start("apply", database=database, folder=folder) for _ in range(4)]
    for run in runs:
        stdout, stderr = run.communicate(timeout=60)
        assert run.returncode == 0, stdout + stderr
    assert log(database) == [("apply", AUTHOR), ("apply", BOOK), ("apply", PRICE)]
    assert held_locks(database) == []
    assert database.value("SELECT count(*) FROM author") == 2


def test_a20_an_index_is_built_concurrently_while_another_run_waits(
    make_database: Callable[[str], Database], folder: Folder
) -> None:
    database = make_database("postgres")
    folder.add("004_a", sleeping(database, 0.7))
    folder.add("004_b", "CREATE INDEX CONCURRENTLY book_price ON book (price);", transactional="false")
    runs = [start("apply", database=database, folder=folder) for _ in range(2)]
    for run in runs:
        stdout, stderr = run.communicate(timeout=30)
        assert run.returncode == 0, stdout + stderr
    assert marks(database)[-1] == "004_b"


def test_a_lock_file_left_by_a_dead_run_is_no_lock(make_database: Callable[[str], Database], folder: Folder) -> None:
    database = make_database("sqlite")
    Path(f"{database.path}.maxwell-lock").write_text('{"pid": 1, "user": "nobody", "host": "here", "since": "long"}')
    folder.run("apply", "--lock-wait", "0", database=database)
    assert not Path(f"{database.path}.maxwell-lock").exists()


def test_databases_side_by_side_do_not_wait_for_each_other(
    database: Database, folder: Folder, make_database: Callable[[str], Database]
) -> None:
    beside = make_database(database.dialect)
    with at_work(database, folder, 30):
        folder.run("apply", PRICE, "--lock-wait", "0", database=beside)
    assert marks(beside) == [AUTHOR, BOOK, PRICE]


# Plain yoyo.


def hold_yoyo_lock(database: Database, pid: int) -> None:
    database.script(f"INSERT INTO yoyo_lock (locked, ctime, pid) VALUES (1, '2026-01-01 00:00:00', {pid})")


@pytest.mark.parametrize("command", WRITES, ids=lambda c: c[0])
def test_a_plain_yoyo_at_work_keeps_us_out_and_is_named(
    database: Database, folder: Folder, command: tuple[str, ...]
) -> None:
    folder.run("apply", BOOK, database=database)
    hold_yoyo_lock(database, 4242)
    error = folder.error(*command, "--lock-wait", "0.3", database=database, expect=5)
    assert "pid 4242" in error["message"]
    assert marks(database) == [AUTHOR, BOOK]
    assert held_locks(database) == [(4242,)], "its row is not ours to remove"
    assert database.tables() == {"author", "book"}


def test_a_yoyo_of_our_own_pid_elsewhere_is_not_taken_for_us(database: Database, folder: Folder) -> None:
    folder.run("apply", BOOK, database=database)
    hold_yoyo_lock(database, os.getpid())  # as in another container
    folder.run("apply", "--lock-wait", "0.3", database=database, expect=5)
    assert held_locks(database) == [(os.getpid(),)]


def test_we_go_on_as_soon_as_plain_yoyo_has_ended(database: Database, folder: Folder) -> None:
    folder.run("apply", BOOK, database=database)
    hold_yoyo_lock(database, 4242)
    run = start("apply", "--lock-wait", "30", database=database, folder=folder)
    assert run.stderr is not None
    assert "pid 4242" in run.stderr.readline()
    database.script("DELETE FROM yoyo_lock")
    stdout, stderr = run.communicate(timeout=30)
    assert run.returncode == 0, stdout + stderr
    assert marks(database) == [AUTHOR, BOOK, PRICE]
    assert held_locks(database) == []


def test_plain_yoyo_is_kept_out_while_a_migration_of_ours_runs(
    database: Database, folder: Folder, tmp_path: Path
) -> None:
    with at_work(database, folder, 1.5) as holder:
        other = yoyo("apply", database=database, sources=folder.path, cwd=tmp_path)
        assert holder.wait(20) == 0
    # It waits for us, or gives up; it never runs the same migration beside us.
    assert log(database).count(("apply", SLOW)) == 1, other.stderr
    assert database.value("SELECT count(*) FROM _yoyo_migration") == 4
    assert held_locks(database) == []
