"""What SQLite itself refuses to a migration while it runs, should the look at its text have missed something."""

from __future__ import annotations

import sqlite3

_AUTH_STATEMENTS = frozenset(
    {sqlite3.SQLITE_TRANSACTION, sqlite3.SQLITE_SAVEPOINT, sqlite3.SQLITE_ATTACH, sqlite3.SQLITE_DETACH}
)
_TAKES_AWAY = frozenset({sqlite3.SQLITE_ALTER_TABLE, sqlite3.SQLITE_DROP_TABLE, sqlite3.SQLITE_DROP_VTABLE})
#: Without one of these a view or a trigger stays as good, or as bad, as it was.
_REMAKES = _TAKES_AWAY | frozenset(
    {
        sqlite3.SQLITE_CREATE_TEMP_TRIGGER,
        sqlite3.SQLITE_CREATE_TEMP_VIEW,
        sqlite3.SQLITE_CREATE_TRIGGER,
        sqlite3.SQLITE_CREATE_VIEW,
        sqlite3.SQLITE_CREATE_VTABLE,
        sqlite3.SQLITE_DROP_TEMP_TABLE,
        sqlite3.SQLITE_DROP_TEMP_VIEW,
        sqlite3.SQLITE_DROP_VIEW,
    }
)


class Guard:
    """An authorizer for the statements of a migration: they neither end its transaction nor leave its database.

    ``begun``: has the transaction begun? If not, the first statement may begin it. What was done is remembered by kind.
    """

    def __init__(self, *, begun: bool = True) -> None:
        self._begun = begun
        self._did: set[int] = set()

    def authorize(self, action: int, one: str | None, two: str | None, *where: str | None) -> int:
        """As ``Connection.set_authorizer`` wants it: asked while a statement is prepared."""
        if action in _AUTH_STATEMENTS:
            if self._begun or (action, one) != (sqlite3.SQLITE_TRANSACTION, "BEGIN"):
                return sqlite3.SQLITE_DENY
            self._begun = True
        self._did.add(action)
        return sqlite3.SQLITE_OK

    @property
    def remade(self) -> bool:
        """Was anything done that can break a view or a trigger?"""
        return not self._did.isdisjoint(_REMAKES)

    @property
    def took_away(self) -> bool:
        """Was anything done that can leave a foreign key without its table?"""
        return not self._did.isdisjoint(_TAKES_AWAY)


def forget_statements(connection: sqlite3.Connection) -> None:
    """Let the statements that Python keeps be prepared anew when they are wanted next.

    SQLite does that by itself when a statement runs and finds the schema changed; one that only explains never runs.
    """
    connection.set_authorizer(lambda *_: sqlite3.SQLITE_OK)  # a new one could refuse what the one before had allowed
    connection.set_authorizer(None)
