"""Where the database stands, and what was done to it: read-only, without yoyo."""

from __future__ import annotations

from runner.domain.state import Standing
from runner.ledger import HistoryEntry, read_history
from runner.operations.project import Project


def status(project: Project) -> Standing:
    """Each migration and its state. Writes nothing, takes no lock, creates no file."""
    with project.connection(read_only=True) as connection:
        return project.standing(connection)


def history(project: Project) -> tuple[HistoryEntry, ...]:
    """Every apply, rollback and stamp, oldest first: yoyo's log with the ledger's facts. Writes nothing."""
    with project.connection(read_only=True) as connection:
        return read_history(connection, project.url.dialect)
