"""A frozen source: triggers on every table refuse each write, of any program; taking them away undoes it."""

from __future__ import annotations

from typing import Any

from runner.domain.quoting import quote_name, quote_text

PREFIX = "_maxwell_frozen_"
EVENTS = ("insert", "update", "delete")
_TABLES = """
SELECT m.name FROM main.sqlite_master AS m
WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite\\_%' ESCAPE '\\' AND m.sql NOT LIKE 'CREATE VIRTUAL%'
ORDER BY m.name
"""
_TRIGGERS = f"""
SELECT name FROM main.sqlite_master WHERE type = 'trigger' AND substr(name, 1, {len(PREFIX)}) = '{PREFIX}'
"""


def freeze(connection: Any, target: str, at: str) -> int:
    """Refuse every write from the end of the open transaction on; how many tables that are.

    What refuses says since when, and where the data are now. The bookkeeping is frozen too, so that no migration runs.
    """
    message = quote_text(f"frozen by maxwell-db {at}: the data are in {target} now")
    tables = [_text(name) for (name,) in connection.execute(_TABLES).fetchall()]
    thaw(connection)
    for number, table in enumerate(tables):
        for event in EVENTS:
            connection.execute(
                f"CREATE TRIGGER {quote_name(f'{PREFIX}{number}_{event}')}"
                f" BEFORE {event.upper()} ON main.{quote_name(table)} BEGIN SELECT RAISE(ABORT, {message}); END"
            )
    return len(tables)


def thaw(connection: Any) -> int:
    """Take the triggers away, in the open transaction; how many there were."""
    names = [_text(name) for (name,) in connection.execute(_TRIGGERS).fetchall()]
    for name in names:
        connection.execute(f"DROP TRIGGER main.{quote_name(name)}")
    return len(names)


def is_frozen(connection: Any) -> bool:
    return bool(connection.execute(_TRIGGERS).fetchall())


def _text(name: str | bytes) -> str:
    return name.decode() if isinstance(name, bytes) else name
