"""``--budget``: the checks in order of importance until the time is over; what was not run never counts as passed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.databases import Database
from tests.support.tool import ROOT, clean_environment, maxwell_db
from verify import snapshot_sqlite
from verify.cli import main
from verify.model import Check
from verify.run import verify

MakeDatabase = Callable[[str], Database]

SCHEMA = """
CREATE TABLE parents (id varchar(9) PRIMARY KEY);
CREATE TABLE children (id varchar(9) PRIMARY KEY, parent_id varchar(9) REFERENCES parents (id));
"""
ORPHAN = "INSERT INTO children VALUES ('lost', 'gone');"
SLOW = {
    "sqlite": "WITH RECURSIVE n (i) AS (VALUES (0) UNION ALL SELECT i + 1 FROM n)"
    " SELECT 'x' AS table_name, 'y' AS row_key, 'z' AS detail FROM n WHERE i < 0",
    "postgres": "SELECT 'x' AS table_name, 'y' AS row_key, 'z' AS detail FROM pg_sleep(60) AS s WHERE s IS NULL",
}


def plant(database: Database, sql: str) -> None:
    database.script(("" if database.dialect == "sqlite" else "SET session_replication_role = replica;") + sql)


@pytest.fixture
def checks(database: Database, tmp_path: Path) -> Path:
    """A check that never ends, and one of each severity beside it."""
    folder = tmp_path / "checks"
    folder.mkdir()
    quick = "SELECT 'x' AS table_name, 'y' AS row_key, 'z' AS detail WHERE 1 = 0"
    for name, severity, sql in (
        ("b-slow", "error", SLOW[database.dialect]),
        ("a-warning", "warn", quick),
        ("a-error", "error", quick),
        ("c-error", "error", quick),
    ):
        (folder / f"{name}.sql").write_text(f"-- check: {name}\n-- severity: {severity}\n-- It holds.\n{sql}\n")
    return folder


def test_when_the_time_is_over_the_rest_is_named_and_nothing_passes_as_a_whole(
    database: Database, checks: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plant(database, SCHEMA)
    arguments = ["--budget", "0.5", "--checks", str(checks)]
    began = time.monotonic()
    result = maxwell_db("verify", "--json", *arguments, database=database)
    assert time.monotonic() - began < 10
    answer = result.json()
    assert (result.exit_code, answer["ok"], answer["error"]["code"]) == (1, False, "BUDGET_SPENT")
    assert answer["complete"] is False
    left_out = {one["name"] for one in answer["checks"] if str(one.get("reason")).startswith("not run: the budget of")}
    # The errors come before the warnings, the generated checks before those of files.
    assert {"b-slow", "c-error", "a-warning"} <= left_out
    assert answer["not_run"] == len(left_out)
    passed = {one["name"] for one in answer["checks"] if one["status"] == "passed"}
    assert {"orphan:children(parent_id)->parents", "key:parents", "a-error"} <= passed
    assert answer["counts"] == {}

    result = maxwell_db("verify", *arguments, database=database)
    assert result.exit_code == 1
    assert "INCOMPLETE: no violations so far" in result.stdout and "not run" in result.stdout
    assert "The rows were not counted." in result.stdout and "checks were not run" in result.stderr
    quiet = maxwell_db("verify", "--quiet", *arguments, database=database)
    assert (quiet.exit_code, quiet.stdout) == (1, "") and "checks were not run" in quiet.stderr

    # The same without the runner.
    assert main(["-d", database.url, "--json", *arguments]) == 1
    alone = json.loads(capsys.readouterr().out)
    assert (alone["ok"], alone["complete"], alone["error"]["code"]) == (False, False, "BUDGET_SPENT")
    assert set(alone) == set(answer)


def test_violations_that_were_found_in_time_still_count(database: Database, checks: Path) -> None:
    plant(database, SCHEMA + ORPHAN)
    result = maxwell_db("verify", "--budget", "0.5", "--checks", str(checks), "--json", database=database)
    answer = result.json()
    assert (result.exit_code, answer["complete"], "error" in answer) == (4, False, False)
    quiet = maxwell_db("verify", "--quiet", "--budget", "0.5", "--checks", str(checks), database=database)
    assert quiet.exit_code == 4
    assert "children  lost" in quiet.stdout and "not run" in quiet.stdout


def test_with_time_enough_it_is_as_without_a_budget(database: Database) -> None:
    plant(database, SCHEMA)
    result = maxwell_db("verify", "--budget", "60", "--json", database=database)
    answer = result.json()
    assert (result.exit_code, answer["complete"], answer["not_run"]) == (0, True, 0)
    assert answer["counts"] == {"children": 0, "parents": 0}
    assert "complete" not in maxwell_db("verify", "--json", database=database).json()


def test_the_connection_can_be_used_afterwards(database: Database, checks: Path) -> None:
    plant(database, SCHEMA)
    with database.connect() as connection:
        report = verify(connection, database.dialect, checks_dirs=[checks], budget=0.3)
        assert report.not_run
        cursor = connection.cursor()
        cursor.execute("INSERT INTO parents VALUES ('p')")
        cursor.execute("SELECT count(*) FROM parents")
        assert cursor.fetchone()[0] == 1
        if database.dialect == "postgres":
            cursor.execute("SHOW statement_timeout")
            assert cursor.fetchone()[0] == "0"


@pytest.mark.parametrize("threads", [2, 4])
def test_all_connections_stop_in_time(
    threads: int, make_database: MakeDatabase, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(snapshot_sqlite, "WORTH_BYTES", 0)
    database = make_database("sqlite")
    database.script(SCHEMA)
    for number in range(6):
        name = f"slow{number}"
        text = f"-- check: {name}\n-- severity: error\n-- It holds.\n{SLOW['sqlite']}\n"
        (tmp_path / f"{name}.sql").write_text(text)
    ran: list[Check] = []
    began = time.monotonic()
    with database.connect() as connection:
        report = verify(
            connection,
            "sqlite",
            checks_dirs=[tmp_path],
            budget=0.5,
            threads=threads,
            progress=lambda check, place, number: ran.append(check),
        )
    assert time.monotonic() - began < 5
    assert sum(check.name.startswith("slow") for check in ran) >= threads
    reasons = {one.name: one.reason for one in report.checks if one.status == "skipped"}
    assert {f"slow{number}" for number in range(6)} <= set(reasons)
    assert report.counts == {} and not report.all_counted


@pytest.mark.parametrize("seconds", ["0", "-1", "soon", "nan", "inf"])
def test_a_budget_is_a_time(seconds: str, make_database: MakeDatabase, capsys: pytest.CaptureFixture[str]) -> None:
    database = make_database("sqlite")
    database.script(SCHEMA)
    assert maxwell_db("verify", f"--budget={seconds}", database=database).exit_code == 2
    assert main(["-d", database.url, f"--budget={seconds}"]) == 2
    assert "Traceback" not in capsys.readouterr().err


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_a_check_that_is_running(database: Database, checks: Path, number: int, code: int) -> None:
    plant(database, SCHEMA)
    process = subprocess.Popen(
        [sys.executable, "-m", "runner", "-d", database.url, "verify", "--only", "b-slow", "--checks", str(checks)],
        cwd=ROOT,
        env=clean_environment(None),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    time.sleep(1.5)
    assert process.poll() is None
    os.kill(process.pid, number)
    _, errors = process.communicate(timeout=10)
    assert process.returncode == code
    assert "Traceback" not in errors
