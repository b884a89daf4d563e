"""What SQLite and PostgreSQL do differently, and nothing else: drivers are named only here and in the backend."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from runner.domain.migration import Dialect
    from runner.domain.url import DatabaseUrl


def connect(url: DatabaseUrl, *, create: bool = False, read_only: bool = False, what: str = "") -> Any:
    """An open DB-API connection in autocommit mode. ConnectionFailed or UsageError say why there is none.

    ``create`` makes a missing SQLite file; a PostgreSQL database is never made. ``read_only`` promises that the
    connection writes nothing, and the database enforces it. ``what`` is the verb by which others see the run.
    """
    if url.dialect == "sqlite":
        from runner.dialects import sqlite

        return sqlite.connect(url, create=create, read_only=read_only)
    from runner.dialects import postgres

    return postgres.connect(url, read_only=read_only, what=what)


def tables(connection: Any, dialect: Dialect) -> frozenset[str]:
    """The tables of the database (PostgreSQL: of its current schema), bookkeeping included."""
    with closing(connection.cursor()) as cursor:
        if dialect == "sqlite":
            cursor.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        else:
            cursor.execute(
                "SELECT c.relname::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
                " WHERE n.nspname = current_schema() AND c.relkind IN ('r', 'p')"
            )
        return frozenset(name for (name,) in cursor.fetchall())
