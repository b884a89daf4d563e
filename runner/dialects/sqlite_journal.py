"""A long run on SQLite that does not wait for the disk at each commit: its journal mode, and the way back.

With a write-ahead log and ``synchronous = NORMAL`` a commit is written, and not waited for. Whatever dies, the process
or the machine, leaves the database as it was after one of the commits: at worst the last of them are taken back, whole.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_PAUSE, PATIENCE = 0.02, 5.0  # seconds, for a reader that keeps the log in use

_ROLLBACK_JOURNALS = ("delete", "truncate", "persist")  # the modes that hold through a crash, besides WAL

Remember = Callable[[str | None], None]  # told the mode to go back to; None: that is done


@contextmanager
def written_ahead(connection: sqlite3.Connection, remember: Remember, warn: Callable[[str], None]) -> Iterator[None]:
    """Within it commits do not wait for the disk; after it all of them are there, and the journal mode is the old one.

    Where SQLite cannot, somebody else has the file open, say, nothing is different. ``remember`` keeps the old mode for
    the next run, should this one be killed.
    """
    mode = journal_mode(connection)
    if mode != "wal" and not (mode in _ROLLBACK_JOURNALS and _enter(connection, mode, remember)):
        yield
        return
    ((synchronous,),) = connection.execute("PRAGMA synchronous").fetchall()
    connection.execute("PRAGMA synchronous = NORMAL")
    try:
        yield
    finally:
        connection.execute(f"PRAGMA synchronous = {max(int(synchronous), 2)}")
        if mode == "wal":
            _wait_for_the_disk(connection)
        else:
            go_back(connection, mode, remember, warn)
        connection.execute(f"PRAGMA synchronous = {int(synchronous)}")


def go_back(connection: sqlite3.Connection, mode: str, remember: Remember, warn: Callable[[str], None]) -> None:
    """Leave the write-ahead log, with all that is in it on the disk. Where a reader uses it for long, it stays."""
    if mode not in _ROLLBACK_JOURNALS:  # not what a run of ours has left behind
        remember(None)
        return
    deadline = time.monotonic() + PATIENCE
    while True:
        if _set_mode(connection, mode):
            remember(None)
            return
        if time.monotonic() > deadline:
            break
        time.sleep(_PAUSE)
    _wait_for_the_disk(connection)
    warn(f"another program is reading; the file stays in WAL mode, and the next run puts it back to '{mode}'")


def journal_mode(connection: sqlite3.Connection) -> str:
    """The mode of the main database, in lower case."""
    ((mode,),) = connection.execute("PRAGMA main.journal_mode").fetchall()
    return str(mode).lower()


def _wait_for_the_disk(connection: sqlite3.Connection) -> None:
    """A commit that is waited for brings the whole log along. It changes nothing."""
    ((version,),) = connection.execute("PRAGMA main.user_version").fetchall()
    connection.execute("BEGIN IMMEDIATE")
    connection.execute(f"PRAGMA main.user_version = {int(version)}")
    connection.execute("COMMIT")


def _enter(connection: sqlite3.Connection, mode: str, remember: Remember) -> bool:
    remember(mode)
    if _set_mode(connection, "wal"):
        try:
            connection.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchall()
            return True
        except sqlite3.Error:  # a file system without shared memory
            _set_mode(connection, mode)
    remember(None)
    return False


def _set_mode(connection: sqlite3.Connection, mode: str) -> bool:
    """Without waiting for anybody."""
    ((patience,),) = connection.execute("PRAGMA busy_timeout").fetchall()
    connection.execute("PRAGMA busy_timeout = 0")
    try:
        return bool(connection.execute(f"PRAGMA main.journal_mode = {mode}").fetchall() == [(mode,)])
    except sqlite3.OperationalError:
        return False
    finally:
        connection.execute(f"PRAGMA busy_timeout = {int(patience)}")
