"""What every operation starts from: which database, which files, and how the two stand to each other."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from runner.dialects import connect
from runner.domain.migration import Migration
from runner.domain.outcome import Observer
from runner.domain.state import Standing, stand
from runner.domain.url import DatabaseUrl
from runner.interruption import watched
from runner.ledger import read_standing
from runner.sources.folder import read_folder
from runner.sources.place import dialect_folder


@dataclass(frozen=True)
class Project:
    """A database and the folder whose migrations it gets. The files are read when they are first asked for."""

    url: DatabaseUrl
    sql: Path
    checks: tuple[Path, ...] = ()  # folders with checks of the user's own

    @cached_property
    def migrations(self) -> tuple[Migration, ...]:
        return read_folder(dialect_folder(self.sql, self.url.dialect), self.url.dialect)

    @contextmanager
    def connection(
        self, *, read_only: bool = False, create: bool = False, what: str = "", observer: Observer | None = None
    ) -> Iterator[Any]:
        """An open connection. The files are read first: what is wrong with them leaves no new database behind.

        ``create`` makes a SQLite file that is missing, and tells ``observer``; ``what`` is the verb that others see.
        """
        _ = self.migrations
        missing = self.is_missing()
        connection = connect(self.url, create=create, read_only=read_only, what=what)
        with closing(connection), watched(connection):
            if missing and observer is not None and self.url.path is not None:
                observer.created(self.url.path)
            yield connection

    def standing(self, connection: Any) -> Standing:
        return read_standing(connection, self.url.dialect, self.migrations)

    def is_missing(self) -> bool:
        """Is it a SQLite file that is not there?"""
        return self.url.path is not None and not self.url.path.exists()

    def standing_or_empty(self) -> Standing:
        """Where the database stands, read-only; a SQLite file that is not there is an empty database."""
        if self.is_missing():
            return stand(self.migrations, {}, {})
        with self.connection(read_only=True) as connection:
            return self.standing(connection)
