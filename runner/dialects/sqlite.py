"""SQLite: how to open it, and what its errors mean."""

from __future__ import annotations

import os
import sqlite3
from typing import TYPE_CHECKING

from runner.errors import ConnectionFailed, MaxwellError, UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from runner.domain.url import DatabaseUrl

OLDEST = (3, 35, 0)  # DROP COLUMN and RETURNING
BUSY_SECONDS = 30.0  # how long another program's write is waited for

_MAGIC = b"SQLite format 3\0"


def connect(url: DatabaseUrl, *, create: bool, read_only: bool) -> sqlite3.Connection:
    """Open the file with foreign keys off, no shared cache and no implicit transactions."""
    assert url.file is not None
    if sqlite3.sqlite_version_info < OLDEST:
        raise UsageError(
            f"this Python has SQLite {sqlite3.sqlite_version}; 3.35 is the oldest that will do",
            code="SQLITE_TOO_OLD",
            hint="Use a newer Python, or one built with a newer SQLite.",
        )
    check_path(url.file, create=create)
    if not read_only and os.path.exists(url.file) and not os.access(url.file, os.W_OK):
        raise _read_only(url.file, "it may only be read")
    # Read-only, a file that has a write-ahead log and is not in use would be left with the log that reading makes.
    tidy = read_only and _has_idle_log(url.file)
    mode = "ro" if read_only and not tidy else "rwc" if create else "rw"
    connection = None
    try:
        connection = sqlite3.connect(
            f"file:{_quoted(os.path.join(os.getcwd(), url.file))}?mode={mode}",
            uri=True,
            isolation_level=None,
            timeout=BUSY_SECONDS,
            check_same_thread=False,  # another thread interrupts what this one runs
        )
        if read_only:
            # What the file brings along (functions in views, defaults, indexes) is somebody else's word.
            connection.execute("PRAGMA trusted_schema = OFF")
        if tidy:
            connection.execute("PRAGMA query_only = ON")
        # Off while a migration runs: a table rebuild with them on empties the child tables.
        connection.execute("PRAGMA foreign_keys = OFF")
        connection.execute("SELECT 1 FROM sqlite_master LIMIT 1")
    except sqlite3.Error as error:
        if connection is not None:
            connection.close()
        raise translate(error, url.file) from error
    return connection


def translate(error: sqlite3.Error, path: str | Path) -> MaxwellError:
    """An error that is not a statement's fault, with its true cause."""
    name = getattr(error, "sqlite_errorname", "") or ""
    if name.startswith("SQLITE_NOTADB"):
        return _not_a_database(path)
    if name == "SQLITE_READONLY_ROLLBACK":
        import shlex

        return ConnectionFailed(
            f"a program died while it wrote to {path}: what it left half done has to be rolled back from the journal "
            "beside it, and this command writes nothing",
            code="HOT_JOURNAL",
            hint=f"Whoever opens it to write rolls that back: sqlite3 {shlex.quote(str(path))} 'PRAGMA user_version'. "
            "Never remove the journal.",
        )
    if name.startswith("SQLITE_READONLY"):
        return _read_only(path, error)
    if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
        return ConnectionFailed(
            f"another program is writing to {path}, for longer than {BUSY_SECONDS:.0f} s",
            code="DATABASE_BUSY",
            hint="Try again when it has finished; nothing was changed.",
        )
    return ConnectionFailed(f"{path}: {error}", code="DATABASE_ERROR", hint="Check the file and its folder.")


def _read_only(path: str | Path, reason: object) -> ConnectionFailed:
    return ConnectionFailed(
        f"{path} cannot be written: {reason}", code="READ_ONLY", hint="Check the permissions of file and folder."
    )


def _not_a_database(path: str | Path) -> ConnectionFailed:
    return ConnectionFailed(
        f"{path} is not a SQLite database", code="NOT_A_DATABASE", hint="Name another file with --database."
    )


def _has_idle_log(path: str | Path) -> bool:
    return _header(path)[18:] == b"\2\2" and not os.path.exists(f"{os.path.realpath(path)}-wal")


def _quoted(file: str) -> str:
    """A file's name in a URI."""
    if file.isascii() and file.replace("/", "").replace("_", "").replace(".", "").replace("-", "").isalnum():
        return file
    from urllib.parse import quote

    return quote(file)


def _header(path: str | Path) -> bytes:
    """The first bytes of a database; none of an empty file."""
    with open(path, "rb") as file:
        return file.read(20)


def check_path(path: str | Path, *, create: bool) -> None:
    """See that the file can be opened, or made: UsageError or ConnectionFailed."""
    if os.path.isdir(path):
        raise UsageError(f"{path} is a folder", code="NOT_A_DATABASE", hint="Name a file: sqlite:///FILE.")
    folder = os.path.dirname(path) or "."
    if not os.path.isdir(folder):
        raise UsageError(
            f"the folder {folder} of the database is not there", code="NO_SUCH_FOLDER", hint="Make it first."
        )
    if not os.path.exists(path) and not create:
        raise UsageError(
            f"the database {path} is not there",
            code="NO_SUCH_DATABASE",
            hint="Check its name, or make it with 'maxwell-db apply'.",
        )
    if os.path.exists(path) and not os.access(path, os.R_OK):
        raise ConnectionFailed(f"{path} cannot be read", code="PERMISSION_DENIED", hint="Check its permissions.")
    # SQLite would take a file of a few bytes for an empty database, and overwrite it.
    if os.path.isfile(path) and not (_header(path) or _MAGIC).startswith(_MAGIC):
        raise _not_a_database(path)
