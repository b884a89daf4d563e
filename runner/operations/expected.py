"""The schema that migrations make: found out by applying them to a scratch database."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import closing, contextmanager
from typing import Any

from runner.backend import Backend, as_yoyo, open_backend
from runner.catalog import Catalog, read_catalog
from runner.dialects import connect
from runner.domain.migration import Migration
from runner.domain.outcome import Direction
from runner.domain.url import DatabaseUrl
from runner.errors import MaxwellError
from runner.interruption import watched
from runner.operations.project import Project
from runner.scratch import scratch_database


def catalog_of(project: Project, ids: Collection[str], *, scratch: str | None = None) -> Catalog:
    """The schema that the project's migrations of these ids make, oldest first, on an empty database.

    The project's database is not touched. ``scratch`` names a server for it; see scratch_database.
    """
    return catalog_made_by(
        project.url, [migration for migration in project.migrations if migration.id in ids], scratch=scratch
    )


def catalog_made_by(like: DatabaseUrl, migrations: Sequence[Migration], *, scratch: str | None = None) -> Catalog:
    """The schema that these migrations make. An error of one of them says that it happened on a scratch database."""
    with built(like, migrations, scratch=scratch) as connection:
        return read_catalog(connection, like.dialect)


@contextmanager
def built(like: DatabaseUrl, migrations: Sequence[Migration], *, scratch: str | None = None) -> Iterator[Any]:
    """A connection to a scratch database to which these migrations were applied."""
    with (
        scratch_database(like, scratch=scratch) as url,
        closing(connect(url, what="scratch")) as connection,
        watched(connection),
    ):
        build(url, connection, migrations)
        yield connection


def build(url: DatabaseUrl, connection: Any, migrations: Sequence[Migration]) -> Backend:
    """Apply migrations to an empty scratch database, in the order that they are given, without checks.

    The backend with which it was done, to go on with.
    """
    backend = open_backend(url, connection)
    try:
        backend.prepare()
        for migration in as_yoyo(migrations):
            backend.run(migration, Direction.APPLY, lambda: None)
        return backend
    except MaxwellError as error:
        error.hint = f"This happened on a scratch database; yours was not touched. {error.hint or ''}".rstrip()
        raise
