"""What SQLite itself refuses to a migration while it runs, should the look at its text have missed something."""

from __future__ import annotations

import sqlite3

_AUTH_STATEMENTS = frozenset(
    {sqlite3.SQLITE_TRANSACTION, sqlite3.SQLITE_SAVEPOINT, sqlite3.SQLITE_ATTACH, sqlite3.SQLITE_DETACH}
)


def authorize_migration(action: int, one: str | None, two: str | None, *where: str | None) -> int:
    """An authorizer for the statements of a migration: they neither end its transaction nor leave its database."""
    return sqlite3.SQLITE_DENY if action in _AUTH_STATEMENTS else sqlite3.SQLITE_OK
