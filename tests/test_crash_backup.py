"""kill -9 at every point of backup, restore and deploy: the database is before or after, and no part is a backup.

After each kill the database holds what it held before, or what it holds after an unharmed run; whatever is listed as a
backup is whole, byte for byte; and the same command, run again, ends where an unharmed run ends and leaves nothing.

Where a point costs a second or two, one of every few is taken, another one each time the walk is made;
``MAXWELL_TEST_ALL_KILLS=1`` takes them all.
"""

from __future__ import annotations

import os
import random
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from runner.dialects.postgres_programs import find
from runner.domain.outcome import Observer
from runner.operations.restore import proven
from tests.support.crash import KILLED, run_and_kill
from tests.support.databases import Database, rows_of
from tests.support.maxwell_schema import raw_catalog
from tests.support.migrations import BOOK, library, marks
from tests.support.tool import Result, maxwell_db

ALL_POINTS = bool(os.environ.get("MAXWELL_TEST_ALL_KILLS"))
MOST_POINTS = 2000
State = tuple[Any, ...]


class Bench:
    """A database with two migrations of three and rows of its own, a folder for backups, and commands to be killed."""

    def __init__(self, database: Database, folder: Path) -> None:
        self.database = database
        self.folder = folder
        self.sql = library(folder)
        self.backups = folder / "kept"
        self._saved = folder / "start.db"
        self.options = ["--backup-dir", str(self.backups)]
        if database.dialect == "postgres":
            version = int(database.value("SHOW server_version_num"))
            self.options += ["--pg-bin", str(find("pg_dump", version).path.parent)]

    def run(self, *command: str, expect: int = 0) -> Result:
        result = maxwell_db(*command, database=self.database, sql=self.sql.path)
        assert result.exit_code == expect, f"{command}\n{result.stdout}\n{result.stderr}"
        return result

    def start(self) -> None:
        """The state from which every run begins; no backup is there."""
        shutil.rmtree(self.backups, ignore_errors=True)
        if self.database.path is not None:
            for path in self.database.path.parent.glob(f"{self.database.path.name}*"):
                path.unlink()
            if self._saved.exists():
                shutil.copyfile(self._saved, self.database.path)
                return
        else:
            self.database.script("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
        self.run("apply", BOOK)
        self.database.script("INSERT INTO book (id, author_id) VALUES (1, 1), (2, 2)")
        if self.database.path is not None:
            shutil.copyfile(self.database.path, self._saved)

    def kill(self, command: list[str], point: int) -> int:
        arguments = ["--database", self.database.url, "--sql", str(self.sql.path), "--quiet", *command]
        code = run_and_kill(arguments, point, self.folder / "child.log", skip_reads=not ALL_POINTS)
        if self.database.dialect == "postgres":
            self._wait_for_the_server()
        return code

    def _wait_for_the_server(self) -> None:
        others = (
            "SELECT count(*) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'"
            " AND (datname = current_database() OR starts_with(datname, current_database() || '.'))"
        )
        deadline = time.monotonic() + 20
        while self.database.value(others):
            assert time.monotonic() < deadline, "a killed run's session lives on"
            time.sleep(0.01)

    def state(self) -> State:
        """Schema, rows and marks; times and durations differ from run to run."""
        if self.database.path is not None:
            assert self.database.query("PRAGMA integrity_check") == [("ok",)]
        return raw_catalog(self.database), rows_of(self.database, sorted(self.database.tables())), marks(self.database)

    def whole_backups(self) -> int:
        """How many are listed; each of them is proven."""
        answer = self.run("--json", "backups", "--backup-dir", str(self.backups)).json()
        for backup in answer["backups"]:
            assert backup["problem"] is None
            proven(Path(backup["file"]), Observer())
        return len(answer["backups"])

    def leftovers(self) -> list[str]:
        left = [path.name for path in self.folder.rglob("*.partial*")]
        if self.database.dialect == "postgres":
            left += [
                name
                for (name,) in self.database.query(
                    "SELECT datname::text FROM pg_database"
                    " WHERE starts_with(datname, current_database() || '.') OR datname LIKE 'maxwell_scratch_%'"
                )
            ]
        return left


@pytest.fixture
def bench(database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    monkeypatch.setattr("runner.backup.sqlite._STEP_PAGES", 8)  # so that a small database is copied in several steps
    return Bench(database, tmp_path)


def walk(bench: Bench, command: list[str], look: Callable[[bool], None], every: tuple[int, int]) -> int:
    """Kill the command at its points, of which one is taken of so many on SQLite, and on PostgreSQL; ``look`` at what
    is there (was it killed?). How many kills there were."""
    killed = 0
    stride = 1 if ALL_POINTS else every[bench.database.dialect == "postgres"]
    for point in range(1 + random.randrange(stride), MOST_POINTS, stride):
        bench.start()
        code = bench.kill(command, point)
        killed += code == KILLED
        assert code in (KILLED, 0), (bench.folder / "child.log").read_text()
        look(code == KILLED)
        if code != KILLED:
            print(f"{bench.database.dialect} {command[0]}: killed at {killed} points")
            return killed
    pytest.fail("the walk does not end")


def test_a_killed_backup_is_none_and_the_next_one_is(bench: Bench) -> None:
    bench.start()
    before = bench.state()

    def look(killed: bool) -> None:
        assert bench.state() == before
        there = bench.whole_backups() if bench.backups.exists() else 0
        assert there == 1 or killed
        bench.run("backup", *bench.options)
        assert bench.whole_backups() == there + 1
        assert bench.leftovers() == []

    assert walk(bench, ["backup", *bench.options], look, (1, 2)) >= 3


def test_a_killed_restore_leaves_what_was_there_or_what_is_restored(bench: Bench) -> None:
    bench.start()
    after = bench.state()
    file = bench.folder / "good.backup"
    bench.run("backup", str(file))
    bench.run("apply")
    bench.database.script("DELETE FROM book WHERE id = 1")
    before = bench.state()
    begin = bench.start
    seen = set()

    def start() -> None:
        begin()
        bench.run("apply")
        bench.database.script("DELETE FROM book WHERE id = 1")

    def look(killed: bool) -> None:
        state = bench.state()
        assert state in (before, after)
        assert killed or state == after
        seen.add(state == after)
        bench.run(*command)
        assert bench.state() == after
        assert bench.leftovers() == []

    bench.start = start  # type: ignore[method-assign]
    command = ["restore", str(file), "--yes", "--disconnect", *bench.options[2:]]
    assert walk(bench, command, look, (1, 2)) >= 3
    assert seen == {True, False} or bench.database.dialect == "postgres"


@pytest.mark.parametrize("options", [[], ["--rehearse"]], ids=lambda options: "".join(options) or "plain")
def test_a_killed_deploy_is_before_or_after_a_migration_and_the_next_one_goes_on(
    bench: Bench, options: list[str]
) -> None:
    bench.sql.add("004_double", "UPDATE book SET price = price * 2;\n", "UPDATE book SET price = price / 2;\n")
    command = ["deploy", *options, *bench.options]
    bench.start()
    states = [bench.state()]
    for target in ("003_price", "004_double"):
        bench.run("apply", target)
        states.append(bench.state())

    def look(killed: bool) -> None:
        state = bench.state()
        assert state in states
        assert killed or state == states[-1]
        if state[2] != states[0][2]:
            assert bench.whole_backups() >= 1, "a migration ran, and there is no backup"
        bench.run(*command)
        assert bench.state() == states[-1]
        if "--rehearse" in options:  # whatever makes a scratch database takes away what was left of such
            bench.run("backups", "--test", *bench.options)
        assert bench.leftovers() == []

    assert walk(bench, command, look, (3, 15) if options else (1, 7)) >= 3
