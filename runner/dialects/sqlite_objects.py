"""SQLite looks at a view or a trigger when it is used, not when what it needs is taken away; here that is looked at."""

from __future__ import annotations

import sqlite3


def broken_objects(connection: sqlite3.Connection) -> dict[str, str]:
    """The views and the tables with triggers that cannot be used, and what SQLite says of each; nothing is run."""
    broken: dict[str, str] = {}
    rows = connection.execute(
        "SELECT name FROM sqlite_master WHERE type = 'view' UNION"
        " SELECT tbl_name FROM sqlite_master WHERE type = 'trigger' ORDER BY 1"
    ).fetchall()
    for (name,) in rows:
        for statement in _uses(connection, name):
            try:
                connection.execute(f"EXPLAIN {statement}").close()
            except sqlite3.OperationalError as error:
                broken[name] = str(error)
                break
    return broken


def _uses(connection: sqlite3.Connection, name: str) -> list[str]:
    """One statement of each kind that a trigger can wait for."""
    quoted = _quote(name)
    triggers = " ".join(
        text.upper()
        for (text,) in connection.execute(
            "SELECT sql FROM sqlite_master WHERE type = 'trigger' AND tbl_name = ?", (name,)
        )
    )
    uses = [f"SELECT * FROM {quoted}"]
    if not triggers:
        return uses
    columns = [
        column
        for column, hidden in connection.execute("SELECT name, hidden FROM pragma_table_xinfo(?)", (name,)).fetchall()
        if not hidden
    ]
    if "INSERT" in triggers:
        listed = ", ".join(map(_quote, columns))
        uses.append(f"INSERT INTO {quoted} ({listed}) VALUES ({', '.join(['NULL'] * len(columns))})")
    if "UPDATE" in triggers:
        uses.append(f"UPDATE {quoted} SET {', '.join(f'{_quote(column)} = NULL' for column in columns)}")
    if "DELETE" in triggers:
        uses.append(f"DELETE FROM {quoted}")
    return uses


def _quote(name: str) -> str:
    doubled = name.replace('"', '""')
    return f'"{doubled}"'
