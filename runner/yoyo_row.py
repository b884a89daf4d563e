"""The lock row of a plain yoyo: whose it is, and whether that run may still be at work."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from typing import Any

from runner.dialects import tables
from runner.domain.migration import Dialect
from runner.ledger import utc_text
from runner.lock import process_start


@dataclass(frozen=True)
class YoyoRow:
    """The process that wrote the row, on whatever machine, and when (UTC)."""

    pid: int
    since: str


def read_row(connection: Any, dialect: Dialect) -> YoyoRow | None:
    """The row, if there is one. Writes nothing."""
    if "yoyo_lock" not in tables(connection, dialect):
        return None
    with closing(connection.cursor()) as cursor:
        cursor.execute("SELECT pid, ctime FROM yoyo_lock")
        row = cursor.fetchone()
    return None if row is None else YoyoRow(int(row[0]), utc_text(row[1]))


def holder(connection: Any, dialect: Dialect, row: YoyoRow) -> str | None:
    """Who may hold the row; None if nobody can."""
    if dialect == "postgres":
        # yoyo holds a session from before the row until it removes it; the pid alone may be another machine's.
        with closing(connection.cursor()) as cursor:
            cursor.execute(
                """
                SELECT a.pid, a.usename, coalesce(host(a.client_addr), 'this host') FROM pg_stat_activity AS a
                WHERE a.datname = current_database() AND a.pid <> pg_backend_pid()
                  -- Of other roles' sessions a role may see nothing: then any of them may be the one.
                  AND coalesce(a.backend_type, 'client backend') = 'client backend'
                  AND coalesce(a.application_name, '') NOT LIKE 'maxwell-db%'
                  AND coalesce(a.backend_start AT TIME ZONE 'UTC' <= (SELECT ctime FROM yoyo_lock), true)
                """
            )
            session = cursor.fetchone()
        return None if session is None else f"server process {session[0]} of {session[1]}@{session[2]}"
    started = process_start(row.pid)
    if started is None or started > row.since:
        return None  # no such process, or a later one that got the same number
    return f"pid {row.pid}, since {row.since}"
