"""One run at a time for each database, by locks that die with their process: there is never one to break.

A waiter polls. It never waits inside a statement, whose snapshot would make ``CREATE INDEX CONCURRENTLY`` wait for it.
"""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from runner import interruption
from runner.errors import ConnectionFailed, LockTimeout
from runner.identity import user_and_host

CLOCK_SECONDS = 2.0  # by which a process may seem to have begun later than it did
POLL_SECONDS = 0.2

#: The key of the advisory lock; PostgreSQL keeps them apart by database. The bytes spell "maxwell".
POSTGRES_KEY = int.from_bytes(b"maxwell", "big")

Waiting = Callable[[str, float], None]  # told once who holds the lock, and how many seconds are left to wait


def poll(attempt: Callable[[], str | None], wait: float, waiting: Waiting) -> None:
    """Try until ``attempt`` returns None, which is success, or ``wait`` seconds are over: LockTimeout.

    What it returns otherwise is who is in the way.
    """
    deadline = time.monotonic() + wait
    told = False
    while (holder := attempt()) is not None:
        interruption.check()
        left = deadline - time.monotonic()
        if left <= 0:
            raise LockTimeout(
                f"the database is held by {holder}",
                code="LOCK_TIMEOUT",
                hint=f"Nothing was changed in {wait:g} s of waiting. Try again when that run is over, or wait longer: "
                "--lock-wait SECONDS.",
            )
        if not told:
            waiting(holder, left)
            told = True
        from random import uniform  # when somebody is waited for

        time.sleep(min(left, POLL_SECONDS * uniform(0.5, 1.5)))


class SqliteHold:
    """A lock file that is held: what it says of the run, and the journal mode that the database is to go back to.

    ``journal`` is what a run that died has left behind there, or this one would; None: the mode is as it should be.
    """

    def __init__(self, descriptor: int, what: str) -> None:
        self._descriptor = descriptor
        user, host = user_and_host()
        self._entry = {"pid": os.getpid(), "user": user, "host": host, "since": _now(), "what": what}
        self.journal = _journal(os.pread(descriptor, 4096, 0))
        self._write(self._entry)

    def remember(self, journal: str | None) -> None:
        """Keep the mode for the next run, should this one die; None: there is nothing to go back to."""
        self.journal = journal
        self._write(self._entry)

    def end(self, path: Path) -> None:
        """Remove the file; or leave in it what the next run has to know, and nothing else."""
        if self.journal is None:
            path.unlink(missing_ok=True)
        else:
            self._write({})

    def _write(self, entry: dict[str, Any]) -> None:
        with suppress(OSError):  # a full disk: the lock is held all the same, only that it does not say by whom
            os.ftruncate(self._descriptor, 0)
            os.pwrite(
                self._descriptor, json.dumps(entry | ({"journal": self.journal} if self.journal else {})).encode(), 0
            )


@contextmanager
def sqlite_lock(database: Path, what: str, wait: float, waiting: Waiting) -> Iterator[SqliteHold]:
    """Hold ``DATABASE.maxwell-lock`` (flock) for a run. The file says who holds it, and goes with the run."""
    path = _lock_file(database)
    held: list[int] = []

    def attempt() -> str | None:
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise ConnectionFailed(
                f"cannot write the lock file {path}: {error.strerror}",
                code="READ_ONLY",
                hint="SQLite needs to write in the database's folder too; check its permissions.",
            ) from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = _holder(os.pread(descriptor, 4096, 0))
            os.close(descriptor)
            return holder
        # The file may have been removed by its last holder between our open and our lock.
        if not _is_same(path, descriptor):
            os.close(descriptor)
            return attempt()
        held.append(descriptor)
        return None

    poll(attempt, wait, waiting)
    (descriptor,) = held
    hold = None
    try:
        hold = SqliteHold(descriptor, what)
        yield hold
    finally:
        if hold is None:
            path.unlink(missing_ok=True)
        else:
            hold.end(path)
        os.close(descriptor)


def journal_left(database: Path) -> bool:
    """Has a run of ours died, or given up, before it put the journal mode back? Or is it at work?"""
    try:
        return _journal(_lock_file(database).read_bytes()) is not None
    except OSError:
        return False


def sqlite_lock_holder(database: Path) -> str | None:
    """Who holds the file's lock now, as far as can be told without trying to take it; None: nobody.

    A try, even of a shared lock, would turn away a run that tries at that moment. So the lock file's own words count,
    unless the process that wrote them is gone from this machine.
    """
    path, data = _lock_file(database), b""
    try:
        data = path.read_bytes()
        entry = json.loads(data)
        if "pid" not in entry:
            return None  # left by a run that has ended
        if entry["host"] == user_and_host()[1]:
            started = process_start(int(entry["pid"]))
            if started is None or started > entry["since"]:
                return None  # killed: the file stayed, and the lock went with the process
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError):
        pass
    return _holder(data) if path.exists() else None


def process_start(pid: int) -> str | None:
    """When a process of this machine began, in UTC, or a little earlier; None: there is none."""
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
    # The kernel counts from a start that moves when somebody sets the clock; nobody's own process is to look later.
    started = datetime.fromtimestamp(boot + ticks / os.sysconf("SC_CLK_TCK") - CLOCK_SECONDS, UTC)
    return f"{started.replace(tzinfo=None).isoformat()}Z"


def _lock_file(database: Path) -> Path:
    return Path(f"{database.resolve()}.maxwell-lock")


def _is_same(path: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False


def _journal(data: bytes) -> str | None:
    """The journal mode that a lock file speaks of."""
    try:
        journal = json.loads(data)["journal"]
    except (ValueError, KeyError, TypeError):
        return None
    return journal if isinstance(journal, str) else None


def _holder(data: bytes) -> str:
    try:
        entry = json.loads(data)
        return f"{entry['what']}, pid {entry['pid']} of {entry['user']}@{entry['host']}, since {entry['since']}"
    except (ValueError, KeyError, TypeError):
        return "another run that has just begun"


def take_postgres_lock(connection: Any, wait: float, waiting: Waiting) -> None:
    """Take a session advisory lock on the run's own connection: it ends with the session, however that ends."""

    def attempt() -> str | None:
        with closing(connection.cursor()) as cursor:
            cursor.execute("SELECT pg_try_advisory_lock(%s)", (POSTGRES_KEY,))
            if cursor.fetchone()[0]:
                return None
        return postgres_lock_holder(connection) or "another run that has just ended"

    poll(attempt, wait, waiting)


def postgres_lock_holder(connection: Any) -> str | None:
    """Whose session holds the advisory lock of the connection's database; None: nobody's. Takes no lock."""
    with closing(connection.cursor()) as cursor:
        cursor.execute(
            """
            SELECT a.application_name, a.pid, a.usename, coalesce(host(a.client_addr), 'this host'),
                   to_char(a.backend_start AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')
            FROM pg_locks AS l JOIN pg_stat_activity AS a USING (pid)
            WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1
              AND l.classid = (%s::bigint >> 32)::oid AND l.objid = (%s::bigint & 4294967295)::oid
              AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
            """,
            (POSTGRES_KEY, POSTGRES_KEY),
        )
        row = cursor.fetchone()
    if row is None:
        return None
    name, pid, user, host, since = row
    return f"{name or 'a run'}, server process {pid} of {user}@{host}, since {since}"


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
