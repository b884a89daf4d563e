"""Hold a database against other runs, without making any table in it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from runner.domain.outcome import Observer
from runner.lock import sqlite_lock, take_postgres_lock
from runner.operations.project import Project


@contextmanager
def held(project: Project, connection: Any, what: str, wait: float, observer: Observer) -> Iterator[None]:
    """The database's lock, on SQLite until the end of the context, on PostgreSQL until that of the connection.

    LockTimeout when the wait for another run is over.
    """
    if project.url.path is not None:
        with sqlite_lock(project.url.path, what, wait, observer.waiting):
            yield
    else:
        take_postgres_lock(connection, wait, observer.waiting)
        yield
