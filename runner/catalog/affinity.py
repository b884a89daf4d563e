"""SQLite takes types by their affinity: VARCHAR(36) and TEXT are one, and so are FLOAT and REAL."""

from __future__ import annotations

from dataclasses import replace

from runner.catalog.model import Catalog, Column, Table, sql_name


def affinity(declared: str) -> str:
    """The affinity of a declared type, by SQLite's own five rules, in their order."""
    upper = declared.upper()
    for words, name in (
        (("INT",), "INTEGER"),
        (("CHAR", "CLOB", "TEXT"), "TEXT"),
        (("BLOB",), "BLOB"),
        (("REAL", "FLOA", "DOUB"), "REAL"),
    ):
        if any(word in upper for word in words):
            return name
    return "NUMERIC" if upper.strip() else "BLOB"


def spelt_alike(expected: Catalog, found: Catalog) -> tuple[Catalog, tuple[str, ...]]:
    """``found`` with the types of ``expected`` where only the spelling differs, and the columns of which that is so."""
    wanted = {table.name: table for table in expected.tables}
    respelt: list[str] = []

    def of(table: Table) -> Table:
        other = wanted.get(table.name)
        # A STRICT table knows five types, and means them.
        if other is None or "STRICT" in table.options or "STRICT" in other.options:
            return table
        return replace(
            table, columns=tuple(one(table, column, other.by_name.get(column.name)) for column in table.columns)
        )

    def one(table: Table, column: Column, other: Column | None) -> Column:
        if other is None or other.type == column.type or affinity(other.type) != affinity(column.type):
            return column
        key = table.primary_key.columns if table.primary_key else ()
        if key == (column.name,) and "INTEGER" in (column.type, other.type):
            return column  # of a key, INTEGER alone is the rowid
        respelt.append(f"{sql_name(table.name)}.{sql_name(column.name)}")
        return replace(column, type=other.type)

    return replace(found, tables=tuple(map(of, found.tables))), tuple(respelt)
