"""SQLite looks at a view or a trigger when it is used, not when what it needs is taken away; here that is looked at."""

from __future__ import annotations

import sqlite3

from runner.domain.quoting import quote_name
from runner.domain.sql import tokens

#: What an application brings to its own connections, and this one cannot know.
_ELSEWHERE = ("no such function", "no such module", "no such collation sequence", "unknown tokenizer")


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
                if not str(error).startswith(_ELSEWHERE):
                    broken[name] = str(error)
                    break
    return broken


def _uses(connection: sqlite3.Connection, name: str) -> list[str]:
    """One statement of each kind that a trigger can wait for."""
    quoted = quote_name(name)
    events = {
        _event(text)
        for (text,) in connection.execute(
            "SELECT sql FROM sqlite_master WHERE type = 'trigger' AND tbl_name = ?", (name,)
        )
    }
    uses = [f"SELECT * FROM {quoted}"]
    if not events:
        return uses
    columns = [
        column
        for column, hidden in connection.execute("SELECT name, hidden FROM pragma_table_xinfo(?)", (name,)).fetchall()
        if not hidden
    ]
    if "INSERT" in events:
        listed = ", ".join(map(quote_name, columns))
        uses.append(f"INSERT INTO {quoted} ({listed}) VALUES ({', '.join(['NULL'] * len(columns))})")
    if "UPDATE" in events:
        uses.append(f"UPDATE {quoted} SET {', '.join(f'{quote_name(column)} = NULL' for column in columns)}")
    if "DELETE" in events:
        uses.append(f"DELETE FROM {quoted}")
    return uses


def _event(trigger: str) -> str:
    """What a trigger waits for: the first such word after its name."""
    words = [token for token in tokens(trigger, "sqlite") if token.kind != "comment"]
    upper = [token.text.upper() for token in words]
    rest = upper[upper.index("TRIGGER") + 1 :]
    rest = rest[3:] if rest[:3] == ["IF", "NOT", "EXISTS"] else rest
    return next((word for word in rest[1:] if word in ("DELETE", "INSERT", "UPDATE")), "")


def missing_parents(connection: sqlite3.Connection) -> frozenset[tuple[str, str]]:
    """Each table that refers to one which is not there, and the name that it refers to."""
    return frozenset(
        connection.execute(
            """
            SELECT child.name, key."table"
            FROM sqlite_master AS child, pragma_foreign_key_list(child.name) AS key
            WHERE child.type = 'table'
              AND NOT EXISTS (
                  SELECT 1 FROM sqlite_master AS parent
                  WHERE parent.type = 'table' AND parent.name = key."table" COLLATE NOCASE
              )
            """
        ).fetchall()
    )


def keys_can_be_checked(connection: sqlite3.Connection) -> bool:
    """Does ``PRAGMA foreign_key_check`` work here? It fails as a whole for one key that fits no parent."""
    try:
        connection.execute("PRAGMA foreign_key_check").fetchall()
    except sqlite3.OperationalError:
        return False
    return True
