"""The schema that a database has against the one that certain migrations make: before marks are set by hand."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from runner.catalog import Catalog, Difference, differences, read_catalog
from runner.dialects import connect
from runner.domain.migration import Dialect
from runner.domain.state import MigrationStatus, Standing
from runner.errors import Interrupted, MaxwellError
from runner.interruption import watched
from runner.operations.drift import as_applied
from runner.operations.expected import build, built
from runner.operations.project import Project
from runner.scratch import scratch_database


@dataclass(frozen=True)
class Schema:
    """A catalog, and the major version of the server that it is of; 0 on SQLite."""

    catalog: Catalog
    version: int


@dataclass(frozen=True)
class Comparison:
    """What differs; ``notes`` say how far to rely on it. Not ``compared``: no schema to compare with could be made."""

    differences: tuple[Difference, ...] = ()
    notes: tuple[str, ...] = ()
    compared: bool = True
    closing: tuple[str, ...] = ()  # statements that close differences, in their order
    left: tuple[Difference, ...] = ()  # those that no simple statement closes


def schema_of(connection: Any, dialect: Dialect) -> Schema:
    """What is there. Reads only."""
    return Schema(read_catalog(connection, dialect), getattr(connection, "server_version", 0) // 10000)


def standing_and_schema(project: Project) -> tuple[Standing, Schema]:
    """Where a database stands that is going to be written, and its schema; a SQLite file that is not there is empty."""
    if project.url.path is not None and project.is_missing():
        from runner.dialects.sqlite import check_path

        check_path(project.url.path, create=True)  # that it cannot be made is said first
        return project.standing_or_empty(), Schema(Catalog(project.url.dialect), 0)
    with project.connection() as connection:
        return project.standing(connection), schema_of(connection, project.url.dialect)


def schema_made_by(project: Project, items: Sequence[MigrationStatus], scratch: str | None, way_out: str) -> Schema:
    """What the migrations make on a scratch database, each with the text that was applied, if it was.

    MaxwellError where that cannot be found out; ``way_out`` is added to its hint.
    """
    try:
        migrations = [as_applied(item, project.url.dialect) for item in items]
        with built(project.url, migrations, scratch=scratch) as connection:
            return schema_of(connection, project.url.dialect)
    except Interrupted:
        raise
    except MaxwellError as error:
        error.hint = f"{error.hint or ''} {way_out}".strip()
        raise


def version_with(
    project: Project, items: Sequence[MigrationStatus], found: Schema, scratch: str | None
) -> MigrationStatus | None:
    """The migration after which a database has the very schema that was found; None where none is known.

    All of them are run on a scratch database, one after the other, until it is so.
    """
    dialect = project.url.dialect
    try:
        with (
            scratch_database(project.url, scratch=scratch) as url,
            closing(connect(url, what="scratch")) as connection,
            watched(connection),
        ):
            for item in items:
                build(url, connection, [as_applied(item, dialect)])
                if not differences(schema_of(connection, dialect).catalog, found.catalog):
                    return item
    except Interrupted:
        raise
    except MaxwellError:  # it only keeps us from saying more
        return None
    return None


def compare(expected: Schema, found: Schema) -> Comparison:
    """What ``found`` has less, more or otherwise."""
    notes = []
    if expected.version != found.version:
        notes.append(
            f"compared with a scratch database on PostgreSQL {expected.version}, while this one is on {found.version}: "
            "the two may write the same thing differently; --scratch names another server"
        )
    return Comparison(differences(expected.catalog, found.catalog), tuple(notes))
