"""Remove the lock row that a plain yoyo left when it died. Ours need no unlocking: they die with their process."""

from __future__ import annotations

import os
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from runner.dialects import tables
from runner.errors import LockTimeout
from runner.ledger import utc_text
from runner.operations.project import Project


@dataclass(frozen=True)
class UnlockReport:
    """The process whose row was removed, and since when it was there; None: there was no row."""

    pid: int | None
    since: str | None

    @property
    def changed(self) -> bool:
        return self.pid is not None


def unlock(project: Project, *, force: bool = False) -> UnlockReport:
    """Remove yoyo's lock row if whoever wrote it is gone. LockTimeout while it may be at work, unless ``force``."""
    with project.connection(what="unlock") as connection, closing(connection.cursor()) as cursor:
        if "yoyo_lock" not in tables(connection, project.url.dialect):
            return UnlockReport(None, None)
        cursor.execute("SELECT pid, ctime FROM yoyo_lock")
        row = cursor.fetchone()
        if row is None:
            return UnlockReport(None, None)
        pid, since = int(row[0]), utc_text(row[1])
        if not force and (holder := _holder(connection, project, pid, since)):
            raise LockTimeout(
                f"a plain yoyo run may be at work: {holder}",
                code="LOCK_HELD",
                hint="Let it end, or end it. If you know that it is dead, say so with --force.",
            )
        cursor.execute(f"DELETE FROM yoyo_lock WHERE pid = {pid}")
        return UnlockReport(pid, since)


def _holder(connection: Any, project: Project, pid: int, since: str) -> str | None:
    """Who may hold the row; None if nobody can."""
    if project.url.dialect == "postgres":
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
            row = cursor.fetchone()
        return None if row is None else f"server process {row[0]} of {row[1]}@{row[2]}, for yoyo's pid {pid}"
    started = _started(pid)
    if started is None or started > since:
        return None  # no such process, or a later one that got the same number
    return f"pid {pid}, since {since}"


def _started(pid: int) -> str | None:
    """When a process of this machine began, in UTC; None: there is none."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return None
    except PermissionError:
        pass
    try:
        # proc(5): the fields after the name in parentheses, of which the 20th counts ticks since the machine's start.
        ticks = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19])
        boot = next(int(line.split()[1]) for line in Path("/proc/stat").read_text().splitlines() if "btime" in line)
    except OSError:
        return ""  # alive, and no telling since when: earlier than any row
    started = datetime.fromtimestamp(boot + ticks / os.sysconf("SC_CLK_TCK"), UTC)
    return f"{started.replace(tzinfo=None).isoformat()}Z"
