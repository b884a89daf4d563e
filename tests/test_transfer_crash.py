"""A transfer that dies, at any point and in any way, has changed nothing; or it was through, and all is there."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from runner.operations import transfer as operation
from runner.transfer import helper
from tests.support.crash import KILLED, run_and_kill
from tests.support.databases import Database, empty_postgres_database
from tests.support.folders import all_tables, footprint
from tests.support.tool import clean_environment
from tests.support.transfers import Pair, make_pair

MakeDatabase = Callable[[str], Database]

ALL_POINTS = bool(os.environ.get("MAXWELL_TEST_ALL_KILLS"))
STRIDE = 1 if ALL_POINTS else 3
MOST_POINTS = 2000
TABLES = (
    "CREATE TABLE place (id INTEGER PRIMARY KEY, name VARCHAR(20) UNIQUE);\n"
    "CREATE TABLE thing (id INTEGER PRIMARY KEY, place_id INTEGER REFERENCES place (id));\n"
    "CREATE INDEX thing_place ON thing (place_id);\n"
)


@pytest.fixture
def pair(tmp_path: Path) -> Pair:
    pair = make_pair(tmp_path, TABLES, TABLES)
    pair.run("INSERT INTO place VALUES (1, 'Harbour'), (2, 'Abbey')", "INSERT INTO thing VALUES (1, 1), (2, 2), (3, 1)")
    return pair


def is_there(target: Database) -> bool:
    """All rows, keys and records; or, if not, nothing at all: what is between fails the test."""
    if "_maxwell_transfer" not in all_tables(target):
        assert all_tables(target) == set()
        return False
    assert target.query("SELECT count(*) FROM place UNION ALL SELECT count(*) FROM thing") == [(2,), (3,)]
    assert target.value("SELECT count(*) FROM pg_constraint WHERE contype IN ('p', 'u', 'f')") >= 4
    assert target.value("SELECT count(*) FROM pg_indexes WHERE indexname = 'thing_place'") == 1
    assert target.value("SELECT count(*) FROM _maxwell_transfer") == 1
    assert target.value("SELECT count(*) FROM yoyo_lock") == 0
    return True


def is_frozen(pair: Pair) -> bool:
    with closing(sqlite3.connect(pair.source)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        return bool(connection.execute("SELECT 1 FROM sqlite_master WHERE name LIKE '%frozen%'").fetchall())


def wait_for_the_server(target: Database) -> None:
    others = (
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
        " AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
    )
    deadline = time.monotonic() + 10
    while target.value(others):
        assert time.monotonic() < deadline, "a killed run's session lives on"
        time.sleep(0.005)


@pytest.mark.parametrize("helped", [False, True], ids=["alone", "with a helper"])
def test_killed_at_any_point_all_is_there_or_nothing_and_the_next_run_goes_on(
    pair: Pair, make_database: MakeDatabase, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, helped: bool
) -> None:
    if helped:
        monkeypatch.setattr(helper, "WORTH_BYTES", 0)
        monkeypatch.setattr(helper, "_cores", lambda: 2)
    target = make_database("postgres")
    arguments = ["transfer", "--from", f"sqlite:///{pair.source}", "--to", target.url, "--sql", str(pair.root)]
    killed = 0
    for point in range(1, MOST_POINTS, STRIDE * (2 if helped and not ALL_POINTS else 1)):
        empty_postgres_database(target)
        code = run_and_kill(
            [*arguments, "--freeze-source", "--quiet"], point, tmp_path / "log", skip_reads=not ALL_POINTS
        )
        wait_for_the_server(target)
        if code != KILLED:
            assert code == 0, (tmp_path / "log").read_text()
            break
        killed += 1
        if is_there(target):
            # It was through; the freezing is what may be left to do.
            assert pair.answer(target, "--verify-only", "--freeze-source")["frozen"]
        else:
            assert not is_frozen(pair)
            pair.answer(target, "--freeze-source")
        assert is_there(target) and is_frozen(pair)
        assert pair.answer(target, "--unfreeze")["unfrozen"]
    else:
        pytest.fail("the walk does not end")
    assert killed > 10
    assert is_there(target) and is_frozen(pair)


PLACES = {
    "pairing": (operation, "pair"),
    "drop": (operation.rebuild, "take_away"),
    "copy": (operation, "copy"),
    "keys": (operation.rebuild, "put_back"),
    "proof": (operation.proof, "read_streams"),
    "record": (operation, "write_record"),
}


@pytest.mark.parametrize("place", PLACES)
def test_a_connection_that_is_cut_leaves_nothing_and_the_next_run_succeeds(
    pair: Pair, make_database: MakeDatabase, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    target = make_database("postgres")
    module, name = PLACES[place]
    real = getattr(module, name)

    def cut_off(*arguments: Any, **options: Any) -> Any:
        end_sessions(target)
        return real(*arguments, **options)

    monkeypatch.setattr(module, name, cut_off)
    error = pair.answer(target, "--freeze-source", expect=1)["error"]
    assert error["code"] == "CONNECTION_LOST" and "terminat" in error["message"]
    assert not is_there(target) and not is_frozen(pair)
    monkeypatch.undo()
    pair.answer(target)
    assert is_there(target)


def test_a_connection_that_is_cut_while_it_commits_is_told_of_as_such(
    pair: Pair, make_database: MakeDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    from runner.backend.postgres import PostgresBackend

    target = make_database("postgres")
    commit = PostgresBackend.commit

    def cut_off(backend: PostgresBackend) -> None:
        end_sessions(target)
        commit(backend)

    monkeypatch.setattr(PostgresBackend, "commit", cut_off)
    error = pair.answer(target, "--freeze-source", expect=1)["error"]
    assert error["code"] == "IN_DOUBT" and "history" in error["hint"]
    assert not is_there(target) and not is_frozen(pair)


def end_sessions(target: Database) -> None:
    target.query(
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
    )


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["SIGINT", "SIGTERM"])
def test_a_signal_in_the_middle_of_the_copy_ends_it_at_once_and_leaves_nothing(
    pair: Pair, make_database: MakeDatabase, tmp_path: Path, number: signal.Signals
) -> None:
    pair.run(
        "WITH RECURSIVE n(i) AS (SELECT 10 UNION ALL SELECT i + 1 FROM n WHERE i < 400000)"
        " INSERT INTO thing SELECT i, 1 FROM n"
    )
    target = make_database("postgres")
    before = footprint(target)
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "runner", "transfer", "--sql", str(pair.root)),
            *("--from", f"sqlite:///{pair.source}", "--to", target.url),
        ],
        cwd=tmp_path,
        env=clean_environment(None),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    for line in process.stderr:
        if line.startswith("looking at every value"):
            break
    began = time.monotonic()
    process.send_signal(number)
    output, errors = process.communicate(timeout=60)
    assert process.returncode == 128 + number and output == ""
    assert "interrupted" in errors and "Traceback" not in errors
    assert time.monotonic() - began < 3
    wait_for_the_server(target)
    assert footprint(target) == before


def test_memory_stays_flat_however_many_rows_there_are(pair: Pair, make_database: MakeDatabase, tmp_path: Path) -> None:
    """A quarter of a million rows, and texts of many times what the program may hold."""
    body = "x" * 2000
    pair.add("002_body", "ALTER TABLE thing ADD COLUMN body TEXT;\n", "ALTER TABLE thing ADD COLUMN body TEXT;\n")
    pair.apply_source()
    pair.run(
        "WITH RECURSIVE n(i) AS (SELECT 10 UNION ALL SELECT i + 1 FROM n WHERE i < 100000)"
        f" INSERT INTO thing SELECT i, 1, '{body}' || i FROM n"
    )
    target = make_database("postgres")
    program = (
        "import sys; from pathlib import Path; from runner.cli import main; code = main(sys.argv[1:]);"
        " peak = next(line for line in Path('/proc/self/status').open() if line.startswith('VmHWM'));"
        " print(int(peak.split()[1]) // 1024, file=sys.stderr); sys.exit(code)"
    )
    done = subprocess.run(
        [
            *(sys.executable, "-c", program, "transfer", "--quiet", "--sql", str(pair.root)),
            *("--from", f"sqlite:///{pair.source}", "--to", target.url),
        ],
        cwd=tmp_path,
        env=clean_environment(None),
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stderr.split()[-1]) < 150  # megabytes, of 200 that went through
