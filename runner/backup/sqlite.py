"""Copies of a SQLite database through its own backup API, out of a live file and into one, while others use it."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

from runner import interruption
from runner.backup.files import Told
from runner.dialects.sqlite import BUSY_SECONDS, translate
from runner.domain.quoting import quote_name
from runner.errors import BackupFailed

_STEP_PAGES = 4096
_SLEEP_SECONDS = 0.02
_RESTARTS = 0  # in rollback-journal mode, before the writers are kept out for the time of one copy


def copy_out(source: sqlite3.Connection, path: Path, told: Told) -> None:
    """Copy the database of ``source`` into the empty file ``path``, as of one moment, while others read and write.

    The copy has no write-ahead log and no lock row of yoyo's, whatever the source has; it is not yet synced. With a
    write-ahead log nobody waits. without one, who commits meanwhile makes the copy start anew; after a few times it
    keeps the writers waiting instead, for as long as one copy takes.
    """
    if journal_mode(source) == "wal" or not _copied(source, path, told, restarts=_RESTARTS):
        with _snapshot(source):
            _copied(source, path, told, restarts=None)


def _copied(source: sqlite3.Connection, path: Path, told: Told, *, restarts: int | None) -> bool:
    os.truncate(path, 0)  # what a copy that was given up has left is no database
    with closing(sqlite3.connect(_uri(path, "rw"), uri=True, isolation_level=None)) as target:
        # A crash leaves an unpublished file: there is nothing to protect until it is synced as a whole.
        for setting in ("locking_mode = EXCLUSIVE", "journal_mode = OFF", "synchronous = OFF"):
            target.execute(f"PRAGMA {setting}")
        if not _copy(source, target, told, restarts=restarts):
            return False
        target.execute("PRAGMA journal_mode = DELETE")
        if target.execute("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'yoyo_lock'").fetchone():
            target.execute("DELETE FROM yoyo_lock")
    return True


def copy_in(path: Path, target: sqlite3.Connection, told: Told) -> None:
    """Make the live database of ``target`` what the file ``path`` holds: wholly, or not at all.

    Right under open connections, in either journal mode, which stays what it is. Others' transactions are waited for;
    BackupFailed when that takes too long.
    """
    with open_copy(path) as source:
        page_size = source.execute("PRAGMA page_size").fetchone()[0]
        if journal_mode(target) == "wal" and page_size != target.execute("PRAGMA page_size").fetchone()[0]:
            raise BackupFailed(
                f"the backup has pages of {page_size} bytes, and the database, which has a write-ahead log, has others",
                code="PAGE_SIZE_DIFFERS",
                hint="While no program has it open: PRAGMA journal_mode = DELETE on the database, then restore again.",
            )
        _copy(source, target, told, restarts=None)


@contextmanager
def open_copy(path: Path) -> Iterator[sqlite3.Connection]:
    """A finished copy, which nobody writes: no lock is taken, and nothing is made beside it."""
    with closing(sqlite3.connect(_uri(path, "ro&immutable=1"), uri=True, isolation_level=None)) as connection:
        connection.execute("PRAGMA trusted_schema = OFF")
        with interruption.watched(connection):
            yield connection


def damage(connection: sqlite3.Connection) -> str | None:
    """What ``integrity_check`` finds first; None: nothing."""
    try:
        found = connection.execute("PRAGMA integrity_check(1)").fetchone()[0]
    except sqlite3.DatabaseError as error:
        return str(error)
    return None if found == "ok" else str(found)


def count_rows(connection: sqlite3.Connection) -> dict[str, int]:
    """The rows of every table but yoyo's lock; those of a virtual table are in tables of their own."""
    tables = connection.execute(
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'"
        " AND sql NOT LIKE 'CREATE VIRTUAL%' AND name <> 'yoyo_lock' ORDER BY name"
    ).fetchall()
    counts = {}
    for (name,) in tables:
        interruption.check()
        counts[name] = int(connection.execute(f"SELECT count(*) FROM {quote_name(name)}").fetchone()[0])
    return counts


def journal_mode(connection: sqlite3.Connection) -> str:
    return str(connection.execute("PRAGMA journal_mode").fetchone()[0])


def _copy(source: Any, target: Any, told: Told, *, restarts: int | None) -> bool:
    """One copy; False if it had to start anew more often than ``restarts`` (None: it never has to)."""
    page_size = source.execute("PRAGMA page_size").fetchone()[0]
    left: list[int] = []  # pages, at the last step
    began_anew = 0
    patience = time.monotonic() + BUSY_SECONDS

    def step(status: int, remaining: int, total: int) -> None:
        nonlocal began_anew, patience
        interruption.check()
        if status == sqlite3.SQLITE_OK:
            patience = time.monotonic() + BUSY_SECONDS
        elif time.monotonic() > patience:
            raise BackupFailed(
                f"another program has held the database for longer than {BUSY_SECONDS:.0f} s",
                code="DATABASE_BUSY",
                hint="Nothing was changed. Try again when its transaction is over.",
            )
        began_anew += bool(left and remaining > left[0])
        if restarts is not None and began_anew > restarts:
            raise _Restarted
        left[:] = [remaining]
        told((total - remaining) * page_size, total * page_size)

    try:
        source.backup(target, pages=_STEP_PAGES, progress=step, sleep=_SLEEP_SECONDS)
    except _Restarted:
        return False
    return True


class _Restarted(Exception):
    """The copy began anew too often."""


@contextmanager
def _snapshot(connection: sqlite3.Connection) -> Iterator[None]:
    connection.execute("BEGIN")
    try:
        connection.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchall()
        yield
    finally:
        connection.execute("ROLLBACK")


def _uri(path: Path, mode: str) -> str:
    return f"file:{quote(str(path.absolute()))}?mode={mode}"


@contextmanager
def telling(path: Path) -> Iterator[None]:
    """SQLite's words for what stopped a copy, as BackupFailed."""
    try:
        yield
    except sqlite3.Error as error:
        told = translate(error, path)
        raise BackupFailed(
            told.message, code="BACKUP_FAILED", hint="Nothing was changed. Check the file and the disk."
        ) from error


SERVER_VERSION = f"SQLite {sqlite3.sqlite_version}"
