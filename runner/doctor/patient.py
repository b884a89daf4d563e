"""What a probe is given: an open connection that cannot write, and what is known already."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from runner.domain.migration import Dialect
from runner.domain.quoting import quote_name
from runner.domain.state import Standing
from runner.domain.url import DatabaseUrl
from runner.errors import MaxwellError

SHOWN = 5  # names in one message, at most


@dataclass(frozen=True)
class Patient:
    """A database that is looked at. ``standing`` is an error where the folder of migrations is refused."""

    url: DatabaseUrl
    connection: Any
    standing: Standing | MaxwellError
    backup_dir: Path
    pg_bin: Path | None = None  # where PostgreSQL's client programs are
    exact: bool = False  # count every row, however long that takes

    @property
    def dialect(self) -> Dialect:
        return self.url.dialect

    def query(self, sql: str, parameters: Sequence[Any] | None = None) -> list[tuple[Any, ...]]:
        """All rows of a short query."""
        with closing(self.connection.cursor()) as cursor:
            if parameters is None:
                cursor.execute(sql)
            else:
                cursor.execute(sql, parameters)
            return [tuple(row) for row in cursor.fetchall()]

    def value(self, sql: str, parameters: Sequence[Any] | None = None) -> Any:
        """The one value of a query's one row."""
        ((value,),) = self.query(sql, parameters)
        return value

    @property
    def path(self) -> Path:
        """The SQLite file."""
        assert self.url.path is not None
        return self.url.path

    @cached_property
    def server_version(self) -> int:
        """PostgreSQL's, as the server writes it: 160004."""
        return int(self.connection.server_version)

    @cached_property
    def schema(self) -> str | None:
        """PostgreSQL's current schema; None where the search path names none that is there."""
        found = self.value("SELECT current_schema()::text")
        return None if found is None else str(found)

    def in_schema(self, name: str) -> str:
        """A table or index of the current schema (of SQLite's main database), as SQL names it."""
        return quote_name(name) if self.dialect == "sqlite" else f"{quote_name(self.schema or '')}.{quote_name(name)}"


def listed(names: Sequence[str]) -> str:
    """The first few names, and how many there are besides."""
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return f"{', '.join(names[:SHOWN])}{more}"


def size_text(size: float) -> str:
    """Bytes as people say them."""
    for unit in ("bytes", "kB", "MB", "GB"):
        if size < 1024:
            return f"{size:.0f} {unit}" if unit == "bytes" or size >= 10 else f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.1f} TB"


def count_text(number: int, noun: str) -> str:
    """``1 table``, ``12 tables``, ``2 indexes``, ``3 foreign keys``."""
    if number == 1:
        return f"1 {noun}"
    return f"{number:,} {noun}{'es' if noun.endswith(('x', 's')) else 's'}"
