"""What apply costs beside the bare programs fed the same files, and beside other tools.

Maxwell's own migrations; many small ones (CREATE TABLE, CREATE INDEX and four INSERTs, each with its rollback file);
one file of 10 MB; in the large size also how the cost grows with the work, and a file of 500 MB. The bare programs are
``sqlite3`` and ``psql``: they get each file in a transaction of its own, with one row of bookkeeping. yoyo, dbmate,
sqitch and alembic get the same statements as migrations of their own.

    python -m bench.apply [--size full] [--folder DIR]
"""

from __future__ import annotations

import os
import re
import shutil
import sqlite3
import sys
from collections.abc import Callable, Iterable
from contextlib import closing
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from bench.alone import alone
from bench.measure import Finding, Point, Results, Run, Size, in_turn, maxwell_db, run
from bench.migrations import apply_files, large_migration, small_migrations
from bench.peers import PEERS, Peer
from bench.transfer import program
from runner.domain.migration import Dialect
from tests.support.databases import (
    Database,
    drop_postgres_database,
    postgres_database,
    run_as_admin,
    sqlite_database,
)
from tests.support.tool import MAXWELL

NAMES: dict[Dialect, str] = {"sqlite": "SQLite", "postgres": "PostgreSQL"}
#: What the profile shows as the least, for the targets that may not be met. Seconds are those of the machine in
#: docs/performance.md.
FLOORS = {
    "SQLite a1": "41 writes for each migration against 18: yoyo's two rows and ours stand in three indexed tables",
    "SQLite a2": "0.06 s to start Python with what is needed, 0.08 s to read 2,000 files, 0.3 s of SQLite itself",
    "SQLite a3": "0.06 s to start Python with what is needed of yoyo, of the runner and of the checks",
    "SQLite a5": "0.06 s to start Python with what is needed, 0.13 s of SQLite, 0.03 s to read, digest and look at the "
    "text, 0.02 s for the checks before and after",
    "PostgreSQL a4": "1.15 s of the server's processor, 0.3 s of three round trips each, 0.15 s to start and connect",
}
_SQLITE = "sqlite:///"
MOST_MEGABYTES = 1200
CLIENT_SECONDS = 0.0003  # of processor, for each migration


def measure(size: Size, folder: Path, url: str) -> Results:
    """Apply's cost, its growth and its memory, on both dialects."""
    results = Results()
    for dialect in NAMES:
        work = folder / f"apply-{dialect}"
        bench = _Bench(dialect, work, url, results)
        small = size == "small"
        bench.maxwell()
        bench.many(100, times=1 if small else 3)
        bench.many(1000, times=1 if small else 3, besides=("alembic", "sqitch") if small else ())
        bench.one_file(10, times=2 if small else 3, peers=not small)
        if not small:
            bench.grow(10_000)
            bench.one_file(100, times=1, peers=False)
            bench.memory(500)
        bench.end()
    results.missing = [peer.name for peer in PEERS if not peer.is_there()]
    return results


@dataclass
class _Bench:
    """The measurements of one dialect; ``folder`` is made, and holds all that they need."""

    dialect: Dialect
    folder: Path
    url: str
    results: Results
    made: list[str] = field(default_factory=list, init=False)
    databases: list[Database] = field(default_factory=list, init=False)

    def __post_init__(self) -> None:
        self.folder.mkdir()

    @property
    def bare_name(self) -> str:
        if self.dialect == "postgres":
            return "psql"
        return "sqlite3" if shutil.which("sqlite3") else "executescript of Python's sqlite3"

    def maxwell(self) -> None:
        files = MAXWELL / self.dialect
        sides = {"bare": self.bare(files), "ours": self.ours(files)} | self.peers(files)
        runs = in_turn(sides, 3)
        work = f"{NAMES[self.dialect]}: Maxwell's own {len(apply_files(files))} migrations"
        self.tell("a3" if self.dialect == "sqlite" else "", work, runs, bare=None, yoyo=0.25)

    def many(self, count: int, *, times: int, besides: Iterable[str] = ()) -> None:
        files = small_migrations(self.folder / f"small-{count}", count)
        whole = count >= 1000  # the targets' own number
        sides = {"bare": self.bare(files), "ours": self.ours(files, existing=True)}
        if self.dialect == "sqlite":
            sides["batch"] = self.ours(files, "--batch-commits", existing=True)
        sides["unverified"] = self.ours(files, "--no-verify", existing=True)
        runs = in_turn(sides | self.peers(files, besides), times, warm=int(times > 1))
        work = f"{NAMES[self.dialect]}: {count:,} small migrations"
        if self.dialect == "sqlite":
            self.tell("a1" if whole else "", work, runs, bare=1.15 if whole else None, yoyo=0.25)
            batch = runs | {"ours": runs["batch"]}
            self.tell("a2" if whole else "", f"{work}, --batch-commits", batch, bare=0.4 if whole else None, yoyo=0.08)
        else:
            self.tell("a4" if whole else "", work, runs, bare=0.85 if whole else None, yoyo=0.5)
            cpu, most = runs["ours"].cpu, count * CLIENT_SECONDS
            limit = 1.0 if whole else None
            self.find("a4" if whole else "", f"{work}, the client's processor", "0.3 ms each", cpu, most, limit)
        self.find("", f"{work}, --no-verify", self.bare_name, runs["unverified"].seconds, runs["bare"].seconds)
        self.point("apply", count, runs["ours"].seconds)
        shutil.rmtree(files)

    def one_file(self, megabytes: int, *, times: int, peers: bool) -> None:
        files = large_migration(self.folder / f"large-{megabytes}", megabytes)
        sides = {"bare": self.bare(files), "ours": self.ours(files, existing=True)}
        if peers:  # yoyo takes long on SQLite, and on PostgreSQL it fails: one savepoint for each statement
            sides |= self.peers(files, besides=("yoyo",) if self.dialect == "postgres" else ())
        runs = in_turn(sides, times, warm=int(times > 1))
        target = "a5" if megabytes == 10 else ""
        limit = {"sqlite": 1.5, "postgres": 0.4}[self.dialect] if target else None
        self.tell(target, f"{NAMES[self.dialect]}: one file of {megabytes} MB", runs, bare=limit, yoyo=None)
        self.point("one file", megabytes, runs["ours"].seconds, "MB")
        shutil.rmtree(files)

    def grow(self, most: int) -> None:
        """Ten, and ten times as many, until so many: what one costs must not grow."""
        for count in (10, most) if self.dialect == "sqlite" else (10,):
            files = small_migrations(self.folder / f"grow-{count}", count)
            one = in_turn({"ours": self.ours(files, existing=True)}, 1, warm=0)["ours"]
            self.point("apply", count, one.seconds)
            shutil.rmtree(files)

    def memory(self, megabytes: int) -> None:
        files = large_migration(self.folder / "memory", megabytes)
        one = self.ours(files, "--no-verify", existing=True)()
        work = f"{NAMES[self.dialect]}: memory of one file of {megabytes} MB"
        limit = f"{MOST_MEGABYTES} MB"
        self.results.findings.append(
            Finding("memory", work, limit, one.megabytes, float(MOST_MEGABYTES), 1.0, unit="MB")
        )
        self.point("one file", megabytes, one.seconds, "MB")
        shutil.rmtree(files)

    def tell(self, target: str, work: str, runs: dict[str, Run], *, bare: float | None, yoyo: float | None) -> None:
        """The findings of one work: beside the bare program, yoyo, and who else ran."""
        ours = runs["ours"].seconds
        self.find(target, work, self.bare_name, ours, runs["bare"].seconds, bare)
        for name in (peer.name for peer in PEERS if peer.name in runs):
            limit = yoyo if name == "yoyo" and target else None
            self.find(target if limit else "", work, name, ours, runs[name].seconds, limit)

    def find(self, target: str, work: str, peer: str, ours: float, other: float, limit: float | None = None) -> None:
        floor = FLOORS.get(f"{NAMES[self.dialect]} {target}", "")
        self.results.findings.append(Finding(target, work, peer, ours, other, limit, floor=floor))

    def point(self, curve: str, work: float, seconds: float, unit: str = "migrations") -> None:
        self.results.points.append(Point(f"{curve}, {NAMES[self.dialect]}", work, seconds, unit))

    def end(self) -> None:
        for database in self.databases:
            drop_postgres_database(self.url, database)
        shutil.rmtree(self.folder)

    # Each side makes an empty database, and runs one program on it.

    def ours(self, files: Path, *options: str, existing: bool = False) -> Callable[[], Run]:
        """``existing``: the database is there already, so that each migration waits for the disk unless told."""

        def side() -> Run:
            with _Empty(self, files, existing=existing) as url:
                return run(maxwell_db("--database", url, "--sql", str(files), "--quiet", "apply", *options))

        return side

    def bare(self, files: Path) -> Callable[[], Run]:
        script = self.folder / f"{files.parent.name}-{files.name}.sql"
        with script.open("w") as file:
            file.write("CREATE TABLE applied (id TEXT);\n")
            for path in apply_files(files):
                with path.open() as text:
                    file.write("BEGIN;\n")
                    shutil.copyfileobj(text, file)
                file.write(f"INSERT INTO applied VALUES ('{path.stem}');\nCOMMIT;\n")

        def side() -> Run:
            with _Empty(self, files) as url:
                if self.dialect == "postgres":
                    options = ("-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", url)
                    return run([program(), *options, "-f", str(script)])
                database = url.removeprefix(_SQLITE)
                if shutil.which("sqlite3"):
                    return run(["sqlite3", "-batch", "-bail", database], stdin=script)
                return run([sys.executable, "-c", _SCRIPT, database, str(script)])

        return side

    def peers(self, files: Path, besides: Iterable[str] = ()) -> dict[str, Callable[[], Run]]:
        return {
            peer.name: self._peer(
                peer, files, peer.prepare(self.dialect, files, self.folder / f"{peer.name}-{files.name}")
            )
            for peer in PEERS
            if peer.is_there() and peer.name not in besides
        }

    def _peer(self, peer: Peer, files: Path, project: Path) -> Callable[[], Run]:
        def side() -> Run:
            with _Empty(self, files) as url:
                command, environment = peer.command(self.dialect, project, url)
                return run(command, cwd=project, more=environment)

        return side


class _Empty:
    """The URL of a new database, for one run of the files. SystemExit if it is without their last table afterwards."""

    def __init__(self, bench: _Bench, files: Path, *, existing: bool = False) -> None:
        self._bench = bench
        self._last_table = _last_table(files)
        self._existing = existing

    def __enter__(self) -> str:
        number = len(self._bench.made) + 1
        name = f"apply_{os.getpid()}_{number}"
        self._bench.made.append(name)
        if self._bench.dialect == "postgres":
            # Dropped at the end: the server would have the files to remove while the next program runs.
            self._database = postgres_database(self._bench.url, name)
            self._bench.databases.append(self._database)
            run_as_admin(self._bench.url, "CHECKPOINT")
            return self._database.url
        self._folder = self._bench.folder / name  # its own: sqitch keeps a second file beside the database
        self._folder.mkdir()
        path = self._folder / "bench.db"
        self._database = sqlite_database(path)
        if self._existing:
            with closing(sqlite3.connect(path)) as connection:
                connection.execute("PRAGMA user_version = 1")
        os.sync()
        return f"{_SQLITE}{path}"

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        is_done = kind is not None or self._last_table in self._database.tables()
        if self._bench.dialect == "sqlite":
            shutil.rmtree(self._folder)
        if not is_done:  # somebody was quick because he did nothing
            raise SystemExit(f"the run left no table {self._last_table}")


@cache
def _last_table(files: Path) -> str:
    made = []
    for path in apply_files(files):
        with path.open() as file:  # a large one begins with its table
            made += re.findall(r"^CREATE TABLE ([a-z]\w+)", file.read(100_000), re.MULTILINE)
    return str(made[-1])


_SCRIPT = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
with open(sys.argv[2]) as file:
    connection.executescript(file.read())
"""


if __name__ == "__main__":
    alone(measure, __doc__)
