"""Three runners at once, killed at random: ``python -m tests.storm --dialect sqlite --kills 10000``.

Each round lets forked runners apply and roll back one database while random ones are killed (SIGKILL, SIGTERM, SIGINT;
on PostgreSQL also by ``pg_terminate_backend``). Then an ordinary ``apply`` has to succeed, and the database has to be
what it is where nothing ever died: every migration marked once and its rows there once. The seed is printed, and with
``--seed`` the same choices are made again.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from runner.cli import main as maxwell_db
from tests.support.databases import (
    Database,
    drop_postgres_database,
    postgres_database,
    postgres_server,
    run_as_admin,
    sqlite_database,
)

RUNNERS = 3
KILLS_IN_A_ROUND = 8
FRESH_DATABASE_EVERY = 10  # rounds; the bookkeeping tables are made under fire too

# Each text can be seen to have run once, and only once.
MIGRATIONS = {
    "1_count": ("CREATE TABLE count (n INTEGER NOT NULL); INSERT INTO count VALUES (1);", "DROP TABLE count;"),
    "2_double": ("UPDATE count SET n = n * 2;", "UPDATE count SET n = n / 2;"),
    "3_parent": ("CREATE TABLE parent (id INTEGER NOT NULL PRIMARY KEY);", "DROP TABLE parent;"),
    "4_child": (
        "CREATE TABLE child (id INTEGER NOT NULL PRIMARY KEY, parent INTEGER REFERENCES parent (id));"
        "INSERT INTO parent VALUES (1); INSERT INTO child VALUES (1, 1);",
        "DROP TABLE child; DELETE FROM parent;",
    ),
    "5_add": ("UPDATE count SET n = n + 5;", "UPDATE count SET n = n - 5;"),
}
VERBS = (("apply",), ("apply",), ("apply", "--gate"), ("apply", "--single-transaction"), ("rollback", "base", "--yes"))
EXPECTED = {
    "SELECT n FROM count": [(7,)],
    "SELECT id FROM parent": [(1,)],
    "SELECT id, parent FROM child": [(1, 1)],
    "SELECT migration_id FROM _yoyo_migration ORDER BY 1": [(id,) for id in MIGRATIONS],
    "SELECT pid FROM yoyo_lock": [],
    "SELECT count(*) FROM _maxwell_ledger AS l JOIN _yoyo_migration AS m"
    " ON m.migration_id = l.migration_id AND m.applied_at_utc = l.at_utc AND l.operation = 'apply'": [
        (len(MIGRATIONS),)
    ],
}


class Storm:
    """One storm over one dialect. ``rounds``, ``kills`` and ``bad`` count; ``bad`` has to stay empty."""

    def __init__(self, folder: Path, seed: int, admin_url: str | None) -> None:
        self.random = random.Random(seed)
        self.rounds = self.kills = 0
        self.bad: list[str] = []
        self._folder = folder
        self._admin_url = admin_url
        self._sql = folder / "sql"
        self._sql.mkdir()
        for id, (apply, rollback) in MIGRATIONS.items():
            (self._sql / f"{id}.sql").write_text(f"-- {id}\n{apply}\n")
            (self._sql / f"{id}.rollback.sql").write_text(f"-- undo {id}\n{rollback}\n")

    def run(self, kills: int) -> None:
        while self.kills < kills and not self.bad:
            with self._database() as database:
                for _ in range(FRESH_DATABASE_EVERY):
                    self._round(database)
                    if self.kills >= kills or self.bad:
                        break

    def _round(self, database: Database) -> None:
        self.rounds += 1
        running: dict[int, tuple[str, ...]] = {}
        for _ in range(KILLS_IN_A_ROUND):
            while len(running) < RUNNERS:
                verb = self.random.choice(VERBS)
                running[self._fork(database, *verb)] = verb
            time.sleep(self.random.random() * self.random.choice((0.003, 0.03, 0.1)))
            victim = self.random.choice(sorted(running))
            self._kill(database, victim)
            self.kills += 1
            for pid in list(running):
                if os.waitpid(pid, os.WNOHANG)[0]:
                    del running[pid]
        for pid in running:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
        self._judge(database)

    def _kill(self, database: Database, pid: int) -> None:
        ways = [signal.SIGKILL, signal.SIGKILL, signal.SIGTERM, signal.SIGINT]
        if self._admin_url and self.random.random() < 0.2:
            run_as_admin(
                self._admin_url,
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'maxwell-db %'"
                f" AND datname = '{database.url.split('?')[0].rpartition('/')[2]}' ORDER BY random() LIMIT 1",
            )
            return
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, self.random.choice(ways))

    def _judge(self, database: Database) -> None:
        """An ordinary run ends right, with nothing to mend before it, and what is there is what should be."""
        pid = self._fork(database, "apply", log=self._folder / "last.log")
        _, status = os.waitpid(pid, 0)
        problems = []
        if status:
            problems.append(f"the next run ended with {status}: {(self._folder / 'last.log').read_text()}")
        for sql, rows in EXPECTED.items():
            try:
                found = database.query(sql)
            except Exception as error:
                problems.append(f"{sql}: {error}")
            else:
                if found != rows:
                    problems.append(f"{sql}: {found}, not {rows}")
        if database.dialect == "sqlite" and database.query("PRAGMA integrity_check") != [("ok",)]:
            problems.append("integrity_check")
        self.bad += [f"round {self.rounds}: {problem}" for problem in problems]

    def _fork(self, database: Database, *arguments: str, log: Path | None = None) -> int:
        sys.stdout.flush()
        # Python's own work after a fork is no place for a signal; it is let through where the runner begins.
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        pid = os.fork()
        if pid:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
            return pid
        code = 99
        try:
            output = os.open(log or os.devnull, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
            os.dup2(output, 1)
            os.dup2(output, 2)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
            code = maxwell_db(["--database", database.url, "--sql", str(self._sql), *arguments])
            sys.stdout.flush()
            sys.stderr.flush()
        finally:
            os._exit(code)

    @contextlib.contextmanager
    def _database(self) -> Iterator[Database]:
        if self._admin_url is None:
            database = sqlite_database(self._folder / f"storm{self.rounds}.db")
            yield database
            for path in self._folder.glob("storm*.db*"):
                path.unlink()
            return
        database = postgres_database(self._admin_url, f"storm_{os.getpid()}_{self.rounds}")
        try:
            yield database
        finally:
            drop_postgres_database(self._admin_url, database)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dialect", choices=["sqlite", "postgres"], required=True)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=None)
    options = parser.parse_args()
    seed = random.randrange(2**32) if options.seed is None else options.seed
    print(f"{options.dialect}: seed {seed}", flush=True)
    with contextlib.ExitStack() as stack:
        url = stack.enter_context(postgres_server()) if options.dialect == "postgres" else None
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        stack.enter_context(contextlib.chdir(folder))
        storm = Storm(Path(folder), seed, url)
        storm.run(options.kills)
    print(
        f"{options.dialect}: {storm.kills} kills in {storm.rounds} rounds, {len(storm.bad)} bad", *storm.bad, sep="\n"
    )
    return 1 if storm.bad else 0


if __name__ == "__main__":
    sys.exit(main())
