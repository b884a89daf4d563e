"""The database's schema against what its applied migrations make; what was changed by hand is named."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from runner.catalog import Catalog, Difference, differences, read_catalog
from runner.domain.migration import Dialect, Migration, Script
from runner.domain.state import MigrationStatus, Standing, State
from runner.errors import HistoryError, MigrationFailed
from runner.operations.expected import built
from runner.operations.project import Project
from runner.sources.header import read_header


@dataclass(frozen=True)
class DriftReport:
    """Expected is what the applied migrations make; found is what is there. ``notes`` say how far to rely on that."""

    standing: Standing
    differences: tuple[Difference, ...]
    notes: tuple[str, ...]


def drift(project: Project, *, scratch: str | None = None) -> DriftReport:
    """Make the schema anew on a scratch database, from what was really applied, and compare. Writes nothing.

    The text of a migration is the file's; where that was edited since or is gone, the one that the ledger stored.
    HistoryError where there is neither.
    """
    with project.connection(read_only=True) as connection:
        with _snapshot(connection, project.url.dialect):
            standing = project.standing(connection)
            found = read_catalog(connection, project.url.dialect)
        version = _major(connection)
    migrations = [as_applied(item, project.url.dialect) for item in standing.applied]
    expected, other = _expected(project, standing, migrations, scratch)
    notes = [note for item in standing.migrations if (note := _note(item))]
    if version != other:
        notes.append(
            f"compared with a scratch database on PostgreSQL {other}, while this one is on {version}: the two may "
            "write the same thing differently; --scratch names another server"
        )
    return DriftReport(standing, differences(expected, found), tuple(notes))


def _expected(
    project: Project, standing: Standing, migrations: Sequence[Migration], scratch: str | None
) -> tuple[Catalog, int]:
    """The schema and the server's version; in the order in which they were applied, or else in that of their names."""
    at = {item.id: item.applied_at or "" for item in standing.applied}
    by_time = sorted(migrations, key=lambda migration: (at[migration.id], migration.id))
    by_name = sorted(migrations, key=lambda migration: migration.id)
    for order in (by_time, by_name):
        try:
            with built(project.url, order, scratch=scratch) as connection:
                return read_catalog(connection, project.url.dialect), _major(connection)
        except MigrationFailed:
            # What was stamped has the time of the stamp, which says nothing of an order.
            if order is by_name or by_time == by_name:
                raise
    raise AssertionError("one of the two orders returned or raised")


@contextmanager
def _snapshot(connection: Any, dialect: Dialect) -> Iterator[None]:
    """One state of the database, for the marks and the schema."""
    with closing(connection.cursor()) as cursor:
        cursor.execute("BEGIN" if dialect == "sqlite" else "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        try:
            yield
        finally:
            cursor.execute("ROLLBACK")


def _major(connection: Any) -> int:
    """The major version of a PostgreSQL server; 0 on SQLite, of which there is only this process's."""
    return getattr(connection, "server_version", 0) // 10000


def as_applied(item: MigrationStatus, dialect: Dialect) -> Migration:
    """A migration with the text that was applied, as far as that is known; HistoryError where neither file nor text is
    there."""
    stored = item.ledger.apply_sql if item.ledger else None
    if item.migration is not None:
        if stored is None or not _apply_changed(item):
            return item.migration
        return replace(item.migration, apply=_stored(item.id, stored))
    if stored is None:
        raise HistoryError(
            f"{item.id} is applied, but its file is gone, and its text is not stored in the database",
            code="MIGRATION_MISSING",
            hint="Bring the file back: without it nobody can say what the schema ought to be.",
        )
    script = _stored(item.id, stored)
    header = read_header(script, dialect)
    return Migration(item.id, dialect, script, None, depends=(), transactional=header.transactional)


def _stored(id: str, text: str) -> Script:
    return Script(Path(f"{id}.sql (as stored in the database)"), text)


def _apply_changed(item: MigrationStatus) -> bool:
    return bool(item.migration and item.ledger and item.migration.apply.sha256 != item.ledger.apply_sha256)


def _note(item: MigrationStatus) -> str | None:
    if item.state is State.UNFINISHED:
        return f"{item.id} is unfinished: what it has done so far is told of as a difference"
    if not item.is_applied:
        return None
    if item.migration is None:
        return f"{item.id}: its file is gone; taken as it was applied, from the text that is stored in the database"
    if item.state is State.CHANGED and _apply_changed(item):
        if item.ledger and item.ledger.apply_sql is None:
            return f"{item.id}: its file was edited since, and the applied text is not stored; taken as the file is now"
        return f"{item.id}: its file was edited since; taken as it was applied, from the text stored in the database"
    return None
