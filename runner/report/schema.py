"""Two schemas in one: every table with what the change adds to it, changes in it, or takes away."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from runner.catalog import Catalog, Difference, differences
from runner.catalog.model import Column, ForeignKey, Table


class Mark(StrEnum):
    """What becomes of a thing. The sign says it where there is no colour."""

    SAME = "same"
    ADDED = "added"
    CHANGED = "changed"
    DROPPED = "dropped"

    @property
    def sign(self) -> str:
        return {"same": "", "added": "+", "changed": "~", "dropped": "\N{MINUS SIGN}"}[self]


@dataclass(frozen=True)
class ColumnPart:
    """A column as a diagram shows it."""

    name: str
    type: str
    sql: str  # everything but the name, after the change
    primary: bool
    foreign: bool
    mark: Mark


@dataclass(frozen=True)
class KeyPart:
    """A foreign key of a table. ``parent`` is a name that need not be among the tables."""

    columns: tuple[str, ...]
    parent: str
    parent_columns: tuple[str, ...]
    sql: str
    mark: Mark


@dataclass(frozen=True)
class TablePart:
    """A table as a diagram shows it."""

    name: str
    columns: tuple[ColumnPart, ...]
    keys: tuple[KeyPart, ...]
    mark: Mark


@dataclass(frozen=True)
class Schema:
    """All tables by name, and every difference in the words of SQL: expected is before, found is after."""

    tables: tuple[TablePart, ...]
    differences: tuple[Difference, ...]

    def marked(self, mark: Mark) -> tuple[TablePart, ...]:
        return tuple(table for table in self.tables if table.mark is mark)


def mark_of(difference: Difference) -> Mark:
    return {"missing": Mark.DROPPED, "unexpected": Mark.ADDED, "different": Mark.CHANGED}[difference.problem]


def merge(before: Catalog, after: Catalog) -> Schema:
    """Lay the schema after a change over the one before it."""
    names = sorted(before.by_name.keys() | after.by_name.keys())
    return Schema(
        tuple(_table(name, before, after) for name in names),
        differences(before, after),
    )


def _table(name: str, before: Catalog, after: Catalog) -> TablePart:
    old, new = before.by_name.get(name), after.by_name.get(name)
    table = new or old
    assert table is not None  # the name comes from one of the two
    if old is None or new is None:
        mark = Mark.ADDED if old is None else Mark.DROPPED
        return TablePart(
            name,
            tuple(_column(column, table, mark) for column in table.columns),
            tuple(_key(key, mark) for key in table.foreign_keys),
            mark,
        )
    same = (
        old == new
        and before.indexes_of(name) == after.indexes_of(name)
        and before.triggers_of(name) == after.triggers_of(name)
    )
    columns = _columns(old, new)
    keys = _keys(old.foreign_keys, new.foreign_keys)
    return TablePart(name, columns, keys, Mark.SAME if same else Mark.CHANGED)


def _columns(old: Table, new: Table) -> tuple[ColumnPart, ...]:
    """Those that are there afterwards, in their order, then those that are gone."""
    found = []
    for column in new.columns:
        earlier = old.by_name.get(column.name)
        mark = Mark.ADDED if earlier is None else Mark.SAME if earlier.sql == column.sql else Mark.CHANGED
        found.append(_column(column, new, mark))
    gone = [column for column in old.columns if column.name not in new.by_name]
    return (*found, *(_column(column, old, Mark.DROPPED) for column in gone))


def _column(column: Column, table: Table, mark: Mark) -> ColumnPart:
    return ColumnPart(
        column.name,
        column.type,
        column.sql,
        primary=table.primary_key is not None and column.name in table.primary_key.columns,
        foreign=any(column.name in key.columns for key in table.foreign_keys),
        mark=mark,
    )


def _keys(old: Sequence[ForeignKey], new: Sequence[ForeignKey]) -> tuple[KeyPart, ...]:
    earlier = {_identity(key): key for key in old}
    later = {_identity(key): key for key in new}
    found = []
    for identity, key in later.items():
        before = earlier.get(identity)
        found.append(_key(key, Mark.ADDED if before is None else Mark.SAME if before.sql == key.sql else Mark.CHANGED))
    return (*found, *(_key(key, Mark.DROPPED) for identity, key in earlier.items() if identity not in later))


def _identity(key: ForeignKey) -> tuple[object, ...]:
    return key.columns, key.parent, key.parent_columns


def _key(key: ForeignKey, mark: Mark) -> KeyPart:
    return KeyPart(key.columns, key.parent, key.parent_columns, key.sql, mark)


def near(schema: Schema, most: int = 40) -> Schema:
    """Of a schema with more tables than that: those that the change touches, and those that their keys name."""
    touched = [table for table in schema.tables if table.mark is not Mark.SAME]
    if len(schema.tables) <= most or not touched:
        return schema
    names = {table.name for table in touched} | {key.parent for table in touched for key in table.keys}
    return replace(schema, tables=tuple(table for table in schema.tables if table.name in names))
