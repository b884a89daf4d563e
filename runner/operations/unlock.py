"""Remove the lock row that a plain yoyo left when it died. Ours need no unlocking: they die with their process."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass

from runner.errors import LockTimeout
from runner.operations.project import Project
from runner.yoyo_row import holder, read_row


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
    dialect = project.url.dialect
    with project.connection(what="unlock") as connection:
        row = read_row(connection, dialect)
        if row is None:
            return UnlockReport(None, None)
        if not force and (who := holder(connection, dialect, row)):
            whose = f", for yoyo's pid {row.pid}" if dialect == "postgres" else ""
            raise LockTimeout(
                f"a plain yoyo run may be at work: {who}{whose}",
                code="LOCK_HELD",
                hint="Let it end, or end it. If you know that it is dead, say so with --force.",
            )
        with closing(connection.cursor()) as cursor:
            cursor.execute(f"DELETE FROM yoyo_lock WHERE pid = {row.pid}")
        return UnlockReport(row.pid, row.since)
