"""What a backup costs beside the bare parts it is made of.

SQLite: ``maxwell-db backup`` beside the standard library's backup call and one read of the copy for its SHA-256.
PostgreSQL: beside ``pg_dump -Fc``. Both sides are programs of their own; ours checks what it wrote, too. The data are
manuscripts and scenes of Maxwell's schema.

    python -m bench.backup [--size full]
"""

from __future__ import annotations

import hashlib
import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

from bench.alone import alone
from bench.measure import Finding, Point, Results, Run, Size, in_turn, maxwell_db, run
from runner.dialects.postgres_programs import find
from tests.support.databases import drop_postgres_database, postgres_database

NAMES = {"sqlite": "SQLite", "postgres": "PostgreSQL"}
MOST_SECONDS = {"sqlite": 1 / 0.8, "postgres": 1 / 0.9}  # beside the bare parts
MOST_MEGABYTES = 200.0

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


def measure(size: Size, folder: Path, url: str) -> Results:
    """Backups of 100 MB; in the large size of 30 MB and of 1 GB too."""
    results = Results()
    for megabytes in (100,) if size == "small" else (30, 100, 1000):
        pairs = 3 if megabytes < 1000 else 1
        database = folder / f"maxwell-{megabytes}.db"
        fill_sqlite(database, megabytes)
        _compare(results, "sqlite", _size(database), pairs, *_on_sqlite(folder, database))
        database.unlink()
        made = postgres_database(url, f"backup_{os.getpid()}_{megabytes}")
        try:
            fill_postgres(made.url, megabytes)
            held = made.value("SELECT pg_database_size(current_database())")
            _compare(results, "postgres", held / 1e6, pairs, *_on_postgres(folder, made.url))
        finally:
            drop_postgres_database(url, made)
    return results


Sides = tuple[Callable[[], Run], Callable[[], Run]]  # the bare parts, and ours


def _compare(
    results: Results, dialect: str, megabytes: float, pairs: int, bare: Callable[[], Run], ours: Callable[[], Run]
) -> None:
    runs = in_turn({"bare": bare, "ours": ours}, pairs)
    work = f"{NAMES[dialect]}: backup of {megabytes:,.0f} MB"
    peer = "copy and read" if dialect == "sqlite" else "pg_dump -Fc"
    # Of a small one on PostgreSQL, Python's own start is a tenth.
    limit = MOST_SECONDS[dialect] if dialect == "sqlite" or megabytes > 300 else None
    results.findings += [
        Finding("backup", work, peer, runs["ours"].seconds, runs["bare"].seconds, limit),
        Finding("memory", work, f"{MOST_MEGABYTES:.0f} MB", runs["ours"].megabytes, MOST_MEGABYTES, 1.0, unit="MB"),
    ]
    results.points.append(Point(f"backup, {NAMES[dialect]}", megabytes, runs["ours"].seconds, "MB"))


def _on_sqlite(folder: Path, database: Path) -> Sides:
    def bare() -> Run:
        _clear(folder, "bare")
        return run([sys.executable, "-c", _BARE_SQLITE, str(database), str(folder / "bare.db")])

    def ours() -> Run:
        _clear(folder, "ours")
        return run(maxwell_db("--database", f"sqlite:///{database}", "backup", str(folder / "ours.sqlite")))

    return bare, ours


def _on_postgres(folder: Path, url: str) -> Sides:
    import psycopg2

    with closing(psycopg2.connect(url)) as connection:
        pg_dump = find("pg_dump", connection.server_version)

    def bare() -> Run:
        _clear(folder, "bare")
        return run([str(pg_dump.path), "--format=custom", f"--file={folder / 'bare.dump'}", f"--dbname={url}"])

    def ours() -> Run:
        _clear(folder, "ours")
        options = ("--pg-bin", str(pg_dump.path.parent))
        return run(maxwell_db("--database", url, "backup", str(folder / "ours.dump"), *options))

    return bare, ours


def _size(file: Path) -> float:
    return file.stat().st_size / 1e6


def _clear(folder: Path, name: str) -> None:
    for old in folder.glob(f"{name}.*"):
        old.unlink()
    os.sync()  # what the one before left to write is not this one's


def scenes(megabytes: int) -> Iterator[tuple[str, int, str]]:
    """Id, position and prose of scenes, of some 8 kB each; no two are alike, and they pack as prose does."""
    words = [hashlib.md5(str(n).encode()).hexdigest()[: 3 + n % 7] for n in range(4000)]
    for number in range(megabytes * 1_000_000 // 8_000):
        text = " ".join(words[(number * 7 + n * n) % 4000] for n in range(1150))
        yield f"scene-{number}", number, f"{number} {text}"


def fill_sqlite(database: Path, megabytes: int) -> None:
    _apply(f"sqlite:///{database}")
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

    _apply(url)
    with closing(psycopg2.connect(url)) as connection, connection, connection.cursor() as cursor:
        cursor.execute("INSERT INTO manuscripts (id, title) VALUES ('m', 'The long one')")
        execute_values(
            cursor,
            "INSERT INTO scenes (id, position, content, manuscript_id) VALUES %s",
            scenes(megabytes),
            template="(%s, %s, %s, 'm')",
        )


def _apply(url: str) -> None:
    subprocess.run(maxwell_db("--database", url, "--quiet", "apply", "1.0.1"), check=True, capture_output=True)


if __name__ == "__main__":
    alone(measure, __doc__)
