"""What the database itself says for a report: where it stands, what was done, its rows, and what its checks find."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any, TypeVar

from runner.dialects import connect
from runner.domain.migration import Dialect, Migration
from runner.domain.state import Standing, stand
from runner.history import HistoryEntry, read_history
from runner.interruption import watched
from runner.ledger import read_standing
from runner.operations.project import Project
from verify.errors import VerifyError
from verify.model import VerifyReport
from verify.run import row_counts, verify

Answer = TypeVar("Answer")


@dataclass(frozen=True)
class Found:
    """What the database says."""

    standing: Standing
    history: tuple[HistoryEntry, ...]
    engine: str | None
    counts: dict[str, int] | None
    verified: VerifyReport | None
    ran: str
    notes: dict[str, str]


def look(project: Project, migrations: Sequence[Migration], run_checks: bool) -> Found:
    """Read it, and run the checks on it if told. A SQLite file that is not there is an empty database."""
    url = project.url
    if project.is_missing():
        note = "The database is not there: it is taken as empty, and nothing was made."
        never = "They were not run: the database is not there."
        return Found(stand(migrations, {}, {}), (), None, None, None, never, {"standing": note, "rows": note})
    notes: dict[str, str] = {}
    with closing(connect(url, read_only=True)) as connection, watched(connection):
        standing = read_standing(connection, url.dialect, migrations)
        history = read_history(connection, url.dialect)
        engine = _engine(connection, url.dialect)
        verified = None
        ran = _last_verify(history)
        if run_checks:
            verified, problem = _tried(lambda: verify(connection, url.dialect, checks_dirs=project.checks))
            ran = "Run for this page, on the database as it is."
            if problem:
                notes["checks"] = f"The checks could not be run: {problem}"
        counts = dict(verified.counts) if verified else None
        if counts is None:
            counts, problem = _tried(lambda: row_counts(connection, url.dialect))
            if problem:
                notes["rows"] = f"The rows could not be counted: {problem}"
    return Found(standing, history, engine, counts, verified, ran, notes)


def _tried(work: Callable[[], Answer]) -> tuple[Answer | None, str | None]:
    try:
        return work(), None
    except VerifyError as error:
        return None, error.message


def _engine(connection: Any, dialect: Dialect) -> str:
    with closing(connection.cursor()) as cursor:
        if dialect == "sqlite":
            cursor.execute("SELECT sqlite_version()")
            return f"SQLite {cursor.fetchone()[0]}"
        cursor.execute("SHOW server_version")
        return f"PostgreSQL {str(cursor.fetchone()[0]).split()[0]}"


def _last_verify(history: Sequence[HistoryEntry]) -> str:
    """What the ledger says of the checks, all together."""
    last = next((entry for entry in reversed(history) if entry.verify), None)
    if last is None:
        return "They were not run for this page, and no run recorded what they found; --verify runs them."
    when = last.at[:19].replace("T", " ")
    return (
        f"They were not run for this page; after the {last.operation} of {last.id}, {when} UTC, they {last.verify}. "
        "--verify runs them."
    )
