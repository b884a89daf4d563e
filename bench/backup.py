"""What a backup costs beside the bare parts it is made of, in one run: medians of interleaved pairs, as ratios.

SQLite: ``maxwell-db backup`` beside the standard library's backup call and one read of the copy for its SHA-256.
PostgreSQL: beside ``pg_dump -Fc``. Both sides are programs of their own; ours checks what it wrote, too. The data are
manuscripts and scenes of Maxwell's schema. A speed of 1.0 is the bare one's; above that it is faster.

    python -m bench.backup [--megabytes 100] [--pairs 5] [--folder DIR] [--only sqlite]
"""

from __future__ import annotations

import argparse
import hashlib
import os
import resource
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from runner.dialects.postgres_programs import find
from tests.support.databases import drop_postgres_database, postgres_database, postgres_server
from tests.support.tool import ROOT

TARGETS = {"sqlite": 0.8, "postgres": 0.9}
MOST_MEMORY = 200  # megabytes

_BARE_SQLITE = """
import hashlib, sqlite3, sys
source, target = sqlite3.connect(sys.argv[1]), sqlite3.connect(sys.argv[2])
source.backup(target)
target.close()
digest = hashlib.sha256()
with open(sys.argv[2], "rb") as file:
    while block := file.read(1 << 20):
        digest.update(block)
print(digest.hexdigest())
"""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])  # type: ignore[union-attr]
    parser.add_argument("--megabytes", type=int, default=100, help="the size of the database")
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--folder", type=Path, help="where to work; it needs five times the size")
    parser.add_argument("--only", choices=["sqlite", "postgres"])
    options = parser.parse_args()
    print(f"{'':10} {'size':>8} {'bare':>9} {'ours':>9} {'speed':>7} {'target':>7} {'memory':>9}")
    good = True
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        if options.only != "postgres":
            good &= bench_sqlite(Path(folder), options.megabytes, options.pairs)
        if options.only != "sqlite":
            with server() as url:
                good &= bench_postgres(Path(folder), url, options.megabytes, options.pairs)
    return 0 if good else 1


def bench_sqlite(folder: Path, megabytes: int, pairs: int) -> bool:
    database = folder / "maxwell.db"
    fill_sqlite(database, megabytes)

    def bare() -> list[str]:
        return [sys.executable, "-c", _BARE_SQLITE, str(database), str(folder / "bare.db")]

    def ours() -> list[str]:
        return maxwell_db(f"sqlite:///{database}", "backup", str(folder / "ours.sqlite"))

    return report("sqlite", database.stat().st_size, folder, pairs, bare, ours)


def bench_postgres(folder: Path, url: str, megabytes: int, pairs: int) -> bool:
    import psycopg2

    with closing(psycopg2.connect(url)) as connection:
        version = connection.server_version
    pg_dump = find("pg_dump", version)
    fill_postgres(url, megabytes)
    with closing(psycopg2.connect(url)) as connection, closing(connection.cursor()) as cursor:
        cursor.execute("SELECT pg_database_size(current_database())")
        size = cursor.fetchone()[0]

    def bare() -> list[str]:
        return [str(pg_dump.path), "--format=custom", f"--file={folder / 'bare.dump'}", f"--dbname={url}"]

    def ours() -> list[str]:
        return maxwell_db(url, "backup", str(folder / "ours.dump"), "--pg-bin", str(pg_dump.path.parent))

    return report("postgres", size, folder, pairs, bare, ours)


def report(
    dialect: str, size: int, folder: Path, pairs: int, bare: Callable[[], list[str]], ours: Callable[[], list[str]]
) -> bool:
    """Run both in turn, print the line, and say whether the targets are met."""
    times: dict[str, list[float]] = {"bare": [], "ours": []}
    memory = 0.0
    for number in range(pairs + 1):  # the first pair warms the caches
        for name, command in (("bare", bare()), ("ours", ours())):
            for old in folder.glob(f"{name}.*"):
                old.unlink()
            os.sync()  # what the one before left to write is not this one's
            took, peak = timed(command)
            if number:
                times[name].append(took)
                memory = max(memory, peak) if name == "ours" else memory
    before, after = (statistics.median(times[name]) for name in ("bare", "ours"))
    speed = before / after
    met = speed >= TARGETS[dialect] and memory <= MOST_MEMORY
    print(
        f"{dialect:10} {size / 1e6:6.0f}MB {before:8.2f}s {after:8.2f}s {speed:7.2f} {TARGETS[dialect]:7.2f}"
        f" {memory:6.0f} MB{'' if met else '   NOT MET'}",
        flush=True,
    )
    return met


def timed(command: list[str]) -> tuple[float, float]:
    """Seconds, and the peak memory in megabytes of the program and its children."""
    reader, writer = os.pipe()
    started = time.perf_counter()
    child = os.fork()
    if child == 0:
        done = subprocess.run(command, stdout=subprocess.DEVNULL, check=False, cwd=tempfile.gettempdir())
        peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
        os.write(writer, f"{done.returncode} {peak}".encode())
        os._exit(0)
    code, peak = os.read(reader, 100).decode().split()
    took = time.perf_counter() - started
    os.waitpid(child, 0)
    os.close(reader)
    os.close(writer)
    if code != "0":
        raise SystemExit(f"{' '.join(command)} failed")
    return took, int(peak) / 1024


def maxwell_db(url: str, *arguments: str) -> list[str]:
    program = f"import sys; sys.path.insert(0, {str(ROOT)!r}); from runner.cli import program; program()"
    return [sys.executable, "-c", program, "--database", url, "--sql", str(ROOT / "sql"), "--quiet", *arguments]


def scenes(megabytes: int) -> Iterator[tuple[str, int, str]]:
    """Id, position and prose of scenes, of some 8 kB each; no two are alike, and they pack as prose does."""
    words = [hashlib.md5(str(n).encode()).hexdigest()[: 3 + n % 7] for n in range(4000)]
    for number in range(megabytes * 1_000_000 // 8_000):
        text = " ".join(words[(number * 7 + n * n) % 4000] for n in range(1150))
        yield f"scene-{number}", number, f"{number} {text}"


def fill_sqlite(database: Path, megabytes: int) -> None:
    subprocess.run(maxwell_db(f"sqlite:///{database}", "apply", "1.0.1"), check=True, capture_output=True)
    with closing(sqlite3.connect(database, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("BEGIN")
        connection.execute("INSERT INTO manuscripts (id, title) VALUES ('m', 'The long one')")
        connection.executemany(
            "INSERT INTO scenes (id, position, content, manuscript_id) VALUES (?, ?, ?, 'm')",
            scenes(megabytes),
        )
        connection.execute("COMMIT")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def fill_postgres(url: str, megabytes: int) -> None:
    import psycopg2
    from psycopg2.extras import execute_values

    subprocess.run(maxwell_db(url, "apply", "1.0.1"), check=True, capture_output=True)
    with closing(psycopg2.connect(url)) as connection, connection, connection.cursor() as cursor:
        cursor.execute("INSERT INTO manuscripts (id, title) VALUES ('m', 'The long one')")
        execute_values(
            cursor,
            "INSERT INTO scenes (id, position, content, manuscript_id) VALUES %s",
            scenes(megabytes),
            template="(%s, %s, %s, 'm')",
        )


@contextmanager
def server() -> Iterator[str]:
    """The URL of a new database."""
    with postgres_server() as admin_url:
        database = postgres_database(admin_url, f"maxwell_bench_{os.getpid()}")
        try:
            yield database.url
        finally:
            drop_postgres_database(admin_url, database)


if __name__ == "__main__":
    sys.exit(main())
