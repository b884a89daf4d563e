"""What was done to the database: read-only, without yoyo."""

from __future__ import annotations

from runner.history import HistoryEntry, read_history
from runner.operations.project import Project


def history(project: Project) -> tuple[HistoryEntry, ...]:
    """Every apply, rollback, stamp and transfer, oldest first. Writes nothing."""
    with project.connection(read_only=True) as connection:
        return read_history(connection, project.url.dialect)
