"""A SQLite table as its own statements say it is: what a rebuild has to make again."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

from runner.domain.sql import tokens


@dataclass(frozen=True)
class TableText:
    """The statements that make a table and what hangs on it, as SQLite keeps them."""

    create: str
    columns: tuple[str, ...]  # those that can be copied
    own: tuple[str, ...]  # its indexes and triggers, which go with it
    others: tuple[tuple[str, str, str], ...]  # views and triggers that name it: kind, name, statement


def table_text(connection: sqlite3.Connection, table: str) -> TableText | None:
    """The table of that name; None where there is none."""
    row = connection.execute(
        "SELECT sql, name FROM sqlite_master WHERE type = 'table' AND name = ? COLLATE NOCASE", (table,)
    ).fetchone()
    if row is None:
        return None
    create, name = row
    columns = connection.execute("SELECT name FROM pragma_table_xinfo(?) WHERE hidden = 0 ORDER BY cid", (name,))
    own = connection.execute(
        "SELECT sql FROM sqlite_master WHERE tbl_name = ? AND type IN ('index', 'trigger') AND sql IS NOT NULL"
        " ORDER BY type, name",
        (name,),
    )
    others = connection.execute(
        "SELECT type, name, sql FROM sqlite_master WHERE type = 'view' OR (type = 'trigger' AND tbl_name <> ?)"
        " ORDER BY type DESC, rowid",
        (name,),
    )
    return TableText(
        create,
        tuple(column for (column,) in columns.fetchall()),
        tuple(sql for (sql,) in own.fetchall()),
        tuple(row for row in others.fetchall() if _names(row[2], name)),
    )


def _names(sql: str, table: str) -> bool:
    return any(
        token.text.strip("\"'`[]").lower() == table.lower()
        for token in tokens(sql, "sqlite")
        if token.kind != "comment"
    )
