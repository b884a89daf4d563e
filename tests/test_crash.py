"""kill -9 at every point of a run: the database is before or after a migration, and the next run goes on by itself.

Each scenario runs in a child that is killed after its first step towards the database, then after its second, and so
on until a run ends unharmed. After each kill the schema is the one that the marks speak of, the data are those of
before or after, no lock is left, and the same command, run again, ends where an unharmed run ends.

After a step that only reads the database is as it was before it, and Maxwell's own six on PostgreSQL are dear; so the
former is no point, and of the latter every second one is taken. ``MAXWELL_TEST_ALL_KILLS=1`` takes them all.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from tests.support.crash import KILLED, run_and_kill
from tests.support.databases import Database, rows_of, sqlite_database
from tests.support.maxwell_rows import sample_rows
from tests.support.maxwell_schema import raw_catalog
from tests.support.migrations import AUTHOR, BOOK, PRICE, held_locks, library, marks
from tests.support.tool import MAXWELL, Result, maxwell_db

ALL_POINTS = bool(os.environ.get("MAXWELL_TEST_ALL_KILLS"))
MEMORY = Path("/dev/shm")
MOST_POINTS = 2000  # a run has not nearly so many: beyond it, the walk does not end

State = tuple[Any, ...]  # catalog and rows


@dataclass(frozen=True)
class Scenario:
    """A command, the way to where it starts, and the commands that stop at each place where a kill may leave it."""

    name: str
    command: list[str]
    start: list[list[str]]
    stations: list[list[str]]
    data: str = ""  # SQL run at the start
    maxwell: bool = False  # on Maxwell's own migrations
    extra: tuple[str, ...] = ()  # migrations beyond the library's


DOUBLE, LARGE = "004_double", "005_large"
#: What the library has no migration of: the way there and back. The large one is run in one call.
EXTRA = {
    DOUBLE: ("UPDATE book SET price = price * 2;\n", "UPDATE book SET price = price / 2;\n"),
    LARGE: (
        "CREATE TABLE shelf (what TEXT NOT NULL);\n" + "INSERT INTO shelf (what) VALUES ('one; of many');\n" * 1500,
        "DROP TABLE shelf;\n",
    ),
}
#: Marks alone: the comparison only reads, and a scratch database for each of the points would take its time.
UNCOMPARED = ("--force", "--scratch", "postgresql://127.0.0.1:1/nowhere")

SCENARIOS = [
    Scenario("apply", ["apply"], [], [["apply", id] for id in (AUTHOR, BOOK, PRICE)]),
    Scenario("gate", ["apply", "--gate"], [], [["apply", id] for id in (AUTHOR, BOOK, PRICE)]),
    Scenario("batch", ["apply", "--batch-commits"], [["apply", AUTHOR]], [["apply", id] for id in (BOOK, PRICE)]),
    Scenario("single-transaction", ["apply", "--single-transaction"], [], [["apply"]]),
    Scenario(
        "apply-over-data",
        ["apply"],
        [["apply", PRICE]],
        [["apply"]],
        data="INSERT INTO book (id, author_id, price) VALUES (1, 1, 10), (2, 2, 7)",
        extra=(DOUBLE,),
    ),
    Scenario("large-file", ["apply"], [["apply", PRICE]], [["apply"]], extra=(LARGE,)),
    Scenario(
        "rollback-one",
        ["rollback", PRICE, "--yes"],
        [["apply"]],
        [["rollback", "--yes"]],
        data="INSERT INTO book (id, author_id, price) VALUES (1, 1, 10), (2, 2, 8)",
        extra=(DOUBLE,),
    ),
    Scenario(
        "rollback-base",
        ["rollback", "base", "--yes"],
        [["apply"]],
        [["rollback", id, "--yes"] for id in (BOOK, AUTHOR, "base")],
    ),
    Scenario("stamp-up", ["stamp", "head", *UNCOMPARED], [["apply", AUTHOR]], [["stamp", "head", *UNCOMPARED]]),
    Scenario("stamp-down", ["stamp", "base", *UNCOMPARED], [["apply"]], [["stamp", "base", *UNCOMPARED]]),
    Scenario(
        "maxwell",
        ["apply"],
        [],
        [["apply", version] for version in ("1.0.0", "1.0.1", "1.0.2", "1.1.0", "1.2.0", "1.3.0", "2.0.0")],
        maxwell=True,
    ),
    Scenario(
        "maxwell-rollback",
        ["rollback", "1.0.2", "--yes"],
        [["apply"]],
        [["rollback", version, "--yes"] for version in ("1.3.0", "1.2.0", "1.1.0", "1.0.2")],
        data=sample_rows("1.3.0"),
        maxwell=True,
    ),
]


@pytest.fixture
def arena(make_database: Callable[[str], Database], dialect: str, tmp_path: Path) -> Iterator[Arena]:
    """A database that is brought back to the start again and again."""
    if dialect == "sqlite":
        # In memory where there is such a folder: a killed process loses nothing that a disk would keep.
        with tempfile.TemporaryDirectory(dir=MEMORY if os.access(MEMORY, os.W_OK) else tmp_path) as folder:
            yield Arena(sqlite_database(Path(folder) / "arena.db"), Path(folder))
        return
    with kept_open(make_database(dialect)) as kept:
        yield Arena(kept, tmp_path)


@contextmanager
def kept_open(database: Database) -> Iterator[Database]:
    """The same database, looked at through one connection: opening one costs more than what is asked."""
    with database.connect() as connection:

        class Kept:
            def __getattr__(self, name: str) -> Any:
                return getattr(connection, name)

            def close(self) -> None:
                """Later."""

        yield replace(database, opener=Kept)


class Arena:
    """Where a scenario is run, killed and looked at."""

    def __init__(self, database: Database, folder: Path) -> None:
        self.database = database
        self.folder = folder
        self.sql = MAXWELL
        self._saved = folder / "start.db"

    def prepare(self, scenario: Scenario) -> dict[tuple[str, ...], State]:
        """Note the clean state for each set of marks that the scenario may leave; then stand at its start."""
        if not scenario.maxwell:
            own = library(self.folder)
            for id in scenario.extra:
                own.add(id, *EXTRA[id])
            self.sql = own.path
        self.clear()
        self.go_to_start(scenario)
        if self.database.path is not None and self.database.path.exists():
            shutil.copyfile(self.database.path, self._saved)
        states = {tuple(marks(self.database)): self.state()}
        for station in scenario.stations:
            self.run(station)
            states[tuple(marks(self.database))] = self.state()
        self.clear()
        self.go_to_start(scenario)
        return states

    def go_to_start(self, scenario: Scenario) -> None:
        if self._saved.exists():
            assert self.database.path is not None
            shutil.copyfile(self._saved, self.database.path)
            return
        for command in scenario.start:
            self.run(command)
        if scenario.data:
            self.database.script(scenario.data)

    def clear(self) -> None:
        """An empty database."""
        if self.database.path is not None:
            for path in self.database.path.parent.glob(f"{self.database.path.name}*"):
                path.unlink()
        else:
            self.database.script("DROP SCHEMA public CASCADE; CREATE SCHEMA public")

    def run(self, command: list[str], expect: tuple[int, ...] = (0,)) -> Result:
        result = maxwell_db(*command, database=self.database, sql=self.sql)
        assert result.exit_code in expect, f"{command}: {result.exit_code}\n{result.stdout}{result.stderr}"
        return result

    def kill(self, command: list[str], point: int) -> int:
        """KILLED, or the exit code of a run that ended before it came to that point."""
        arguments = ["--database", self.database.url, "--sql", str(self.sql), "--quiet", *command]
        code = run_and_kill(arguments, point, self.folder / "child.log", skip_reads=not ALL_POINTS)
        if self.database.dialect == "postgres":
            self.wait_for_the_server()
        return code

    def wait_for_the_server(self) -> None:
        """The server takes back what the dead had open as soon as it sees that they are gone."""
        others = (
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
            " AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
        )
        deadline = time.monotonic() + 10
        while self.database.value(others):
            assert time.monotonic() < deadline, "a killed run's session lives on"
            time.sleep(0.002)

    def state(self) -> State:
        tables = sorted(self.database.tables())
        return raw_catalog(self.database), rows_of(self.database, tables)

    def look(self) -> tuple[str, ...]:
        """What has to be true after every kill, whatever was killed; the ids that are marked."""
        if self.database.path is not None:
            if not self.database.path.exists():
                return ()
            assert self.database.query("PRAGMA integrity_check") == [("ok",)]
        assert held_locks(self.database) == []
        return tuple(marks(self.database))


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_a01_a02_a03_killed_at_any_point_it_is_before_or_after_and_the_next_run_goes_on(
    arena: Arena, scenario: Scenario, record_property: Callable[[str, object], None]
) -> None:
    states = arena.prepare(scenario)
    *_, (end, at_end) = states.items()
    seen = set()
    stride = 2 if scenario.maxwell and arena.database.dialect == "postgres" and not ALL_POINTS else 1
    killed = 0
    for point in range(1, MOST_POINTS, stride):
        if point > 1:
            arena.clear()
            arena.go_to_start(scenario)
        code = arena.kill(scenario.command, point)
        killed += code == KILLED
        marked = arena.look()
        assert marked in states, f"point {point}: marked {marked}"
        if code == KILLED:
            assert arena.state() == states[marked], f"point {point}: schema or data are not those of {marked}"
            seen.add(marked)
            arena.run(scenario.command)
        else:
            assert code == 0, (arena.folder / "child.log").read_text()
        assert arena.look() == end, f"point {point}: the next run ended elsewhere"
        assert arena.state() == at_end, f"point {point}: the next run left another schema, or other data"
        if arena.database.dialect == "sqlite" and scenario.command[0] == "apply":
            assert arena.database.value("PRAGMA journal_mode") == "delete", (
                f"point {point}: the journal mode is not ours"
            )
        if code != KILLED:
            break
    else:
        pytest.fail("the walk does not end")
    assert stride > 1 or seen == set(states), "no kill came between the commits: the walk saw too little"
    record_property("kill_points", killed)
    print(f"{arena.database.dialect} {scenario.name}: killed at {killed} points")


INDEX = "004_index"


@pytest.mark.parametrize("command", [["apply"], ["rollback", PRICE, "--yes"]], ids=lambda command: command[0])
def test_killed_outside_a_transaction_it_is_told_of_and_a_person_settles_it(arena: Arena, command: list[str]) -> None:
    own = library(arena.folder)
    concurrently = "CONCURRENTLY" if arena.database.dialect == "postgres" else ""
    own.add(
        INDEX,
        f"CREATE INDEX {concurrently} book_price ON book (price);\n",
        f"DROP INDEX {concurrently} book_price;\n",
        transactional="false",
    )
    arena.sql = own.path
    other = {"apply": ["rollback", PRICE, "--yes"], "rollback": ["apply"]}[command[0]]
    arena.run(["apply"])
    told = 0
    for point in range(1, MOST_POINTS):
        arena.run(other)
        code = arena.kill(command, point)
        arena.look()
        state = own.states(arena.database)[INDEX]
        if code == KILLED and state == "unfinished":
            told += 1
            arena.run(command, expect=(8,))
            settle(arena)
        else:
            assert (INDEX in marks(arena.database)) == index_is_there(arena.database), f"point {point}"
        arena.run(command)
        assert index_is_there(arena.database) == (command == ["apply"]), f"point {point}"
        assert own.states(arena.database)[INDEX] == ("applied" if command == ["apply"] else "pending")
        if code != KILLED:
            assert code == 0, (arena.folder / "child.log").read_text()
            break
    else:
        pytest.fail("the walk does not end")
    assert told, "no kill came between the statement and its mark"
    print(f"{arena.database.dialect} {command[0]} outside a transaction: killed at {point - 1} points, told of {told}")


def settle(arena: Arena) -> None:
    """What the error tells a person to do: look, then record what is true."""
    arena.run(["stamp", INDEX if index_is_there(arena.database) else PRICE, *UNCOMPARED])


def index_is_there(database: Database) -> bool:
    table, column = ("sqlite_master", "name") if database.dialect == "sqlite" else ("pg_class", "relname")
    return bool(database.value(f"SELECT count(*) FROM {table} WHERE {column} = 'book_price'"))
