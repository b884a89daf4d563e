"""What a schema has, as frozen values: every object with its SQL in short, whatever the order it was made in."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

from runner.domain.migration import Dialect
from runner.domain.quoting import quote_name, quote_text

_PLAIN = re.compile(r"[A-Za-z_][\w$]*(?:\.[A-Za-z_][\w$]*)?")

#: The beginnings of the names of tables that keep the record of migrations; they are no part of a schema.
_BOOKKEEPING = ("_yoyo", "yoyo_lock", "_maxwell")
ALEMBIC = "alembic_version"  # another tool's record, which adopting a database leaves where it is


@dataclass(frozen=True)
class Column:
    """One column. ``type`` and ``default`` are SQL text, as the database itself writes it."""

    name: str
    type: str
    nullable: bool = True
    default: str | None = None
    generated: str | None = None  # "STORED (expression)" or "VIRTUAL (expression)"
    identity: str | None = None  # "ALWAYS" or "BY DEFAULT" on PostgreSQL, "AUTOINCREMENT" on SQLite
    collation: str | None = None  # None: that of the type
    not_null_conflict: str | None = None  # SQLite's ON CONFLICT for NOT NULL

    @property
    def sql(self) -> str:
        """Everything but the name."""
        parts = [self.type or "(no type)"]
        if self.collation:
            parts.append(f"COLLATE {self.collation}")
        if self.generated:
            kind, _, expression = self.generated.partition(" ")
            parts.append(f"GENERATED ALWAYS AS {expression} {kind}")
        if self.identity:
            parts.append(
                self.identity if self.identity == "AUTOINCREMENT" else f"GENERATED {self.identity} AS IDENTITY"
            )
        if not self.nullable:
            parts.append("NOT NULL")
        if self.not_null_conflict:
            parts.append(f"ON CONFLICT {self.not_null_conflict}")
        if self.default is not None:
            parts.append(f"DEFAULT {self.default}")
        return " ".join(parts)


@dataclass(frozen=True)
class Unique:
    """A unique constraint, or a primary key. ``name`` is None where it has none, as on SQLite."""

    columns: tuple[str, ...]
    name: str | None = None
    primary: bool = False
    options: str = ""  # DEFERRABLE, NULLS NOT DISTINCT, INCLUDE, ON CONFLICT ..., in SQL

    @property
    def sql(self) -> str:
        return _words("PRIMARY KEY" if self.primary else "UNIQUE", listed(self.columns), self.options)


@dataclass(frozen=True)
class ForeignKey:
    """A foreign key. ``parent`` has its schema in front where that is another one."""

    columns: tuple[str, ...]
    parent: str
    parent_columns: tuple[str, ...]
    name: str | None = None
    on_delete: str = "NO ACTION"
    on_update: str = "NO ACTION"
    options: str = ""  # MATCH FULL, DEFERRABLE ..., SET NULL's columns, NOT ENFORCED, in SQL
    validated: bool = True  # False: rows from before it were never looked at (NOT VALID)
    enabled: bool = True  # False: its triggers are disabled, so that it holds nothing

    @property
    def sql(self) -> str:
        actions = [
            f"ON {event} {action}"
            for event, action in (("UPDATE", self.on_update), ("DELETE", self.on_delete))
            if action != "NO ACTION"
        ]
        state = [*(() if self.validated else ("NOT VALID",)), *(() if self.enabled else ("(disabled)",))]
        reference = f"REFERENCES {sql_name(self.parent)} {listed(self.parent_columns)}"
        return _words("FOREIGN KEY", listed(self.columns), reference, *actions, self.options, *state)


@dataclass(frozen=True)
class Check:
    """A check constraint; ``expression`` is without the parentheses around it."""

    expression: str
    name: str | None = None
    options: str = ""  # NOT VALID, NO INHERIT, in SQL

    @property
    def sql(self) -> str:
        return _words(f"CHECK ({self.expression})", self.options)


@dataclass(frozen=True)
class Index:
    """An index that stands by itself; one that a constraint brings along is the constraint's."""

    name: str
    table: str
    keys: tuple[str, ...]  # each a column or an expression, with collation, operator class and order if not the usual
    unique: bool = False
    predicate: str | None = None
    method: str = "btree"
    options: str = ""  # INCLUDE, NULLS NOT DISTINCT, WITH, in SQL
    valid: bool = True  # False: left behind by a CREATE INDEX CONCURRENTLY that failed

    @property
    def sql(self) -> str:
        unique, using = ("UNIQUE " if self.unique else ""), ("" if self.method == "btree" else f"USING {self.method} ")
        where = f"WHERE {self.predicate}" if self.predicate else ""
        invalid = "" if self.valid else "INVALID"
        return _words(f"{unique}INDEX {using}({', '.join(self.keys)})", self.options, where, invalid)


@dataclass(frozen=True)
class Trigger:
    """A trigger. ``body`` is what it does: SQLite's statements, or the call of PostgreSQL's function."""

    name: str
    table: str
    timing: str  # BEFORE, AFTER, INSTEAD OF
    events: tuple[str, ...]  # INSERT, UPDATE, UPDATE OF a, b, DELETE, TRUNCATE; sorted
    level: str  # ROW, STATEMENT
    body: str
    condition: str | None = None
    options: str = ""  # a constraint trigger's, the names of transition tables, in SQL
    enabled: str = "enabled"  # enabled, disabled, replica only, always

    @property
    def sql(self) -> str:
        when = f"WHEN ({self.condition})" if self.condition else ""
        state = "" if self.enabled == "enabled" else f"({self.enabled})"
        events = " OR ".join(self.events)
        return _words(self.timing, events, self.options, f"FOR EACH {self.level}", when, self.body, state)


@dataclass(frozen=True)
class Table:
    """One table with what belongs to it alone."""

    name: str
    columns: tuple[Column, ...]
    primary_key: Unique | None = None
    uniques: tuple[Unique, ...] = ()
    foreign_keys: tuple[ForeignKey, ...] = ()
    checks: tuple[Check, ...] = ()
    kind: str = "table"  # also: virtual table, foreign table
    options: str = ""  # STRICT, WITHOUT ROWID, UNLOGGED, PARTITION BY ..., in SQL
    partition: bool = False  # its rows are those of the table that it is a part of

    @cached_property
    def by_name(self) -> dict[str, Column]:
        return {column.name: column for column in self.columns}


@dataclass(frozen=True)
class View:
    """A view, with its query as the database gives it."""

    name: str
    columns: tuple[str, ...]
    query: str
    materialized: bool = False
    options: str = ""


@dataclass(frozen=True)
class Enum:
    """A type of named values, in their order."""

    name: str
    labels: tuple[str, ...]

    @property
    def sql(self) -> str:
        return f"ENUM ({', '.join(map(quote_text, self.labels))})"


@dataclass(frozen=True)
class Domain:
    """A type with conditions. ``checks`` speak of VALUE."""

    name: str
    base: str
    nullable: bool = True
    default: str | None = None
    checks: tuple[Check, ...] = ()

    @property
    def sql(self) -> str:
        default = "" if self.default is None else f"DEFAULT {self.default}"
        checks = (f"CONSTRAINT {check.name} {check.sql}" for check in self.checks)
        return _words(self.base, "" if self.nullable else "NOT NULL", default, *checks)


@dataclass(frozen=True)
class Other:
    """Anything else that a migration can make: a function, a sequence, a policy ...; compared by its text."""

    kind: str
    name: str
    sql: str
    table: str | None = None


@dataclass(frozen=True)
class Catalog:
    """All of one schema but the bookkeeping of migrations; every part is sorted by name.

    On PostgreSQL the current schema, on SQLite the main database. Owners, privileges, comments, extensions and storage
    settings of the server are not part of it.
    """

    dialect: Dialect
    tables: tuple[Table, ...] = ()
    indexes: tuple[Index, ...] = ()
    triggers: tuple[Trigger, ...] = ()
    views: tuple[View, ...] = ()
    enums: tuple[Enum, ...] = ()
    domains: tuple[Domain, ...] = ()
    others: tuple[Other, ...] = ()

    @cached_property
    def by_name(self) -> dict[str, Table]:
        return {table.name: table for table in self.tables}

    def indexes_of(self, table: str) -> tuple[Index, ...]:
        return tuple(index for index in self.indexes if index.table == table)

    def triggers_of(self, table: str) -> tuple[Trigger, ...]:
        return tuple(trigger for trigger in self.triggers if trigger.table == table)


def sql_name(name: str) -> str:
    """A name as a person writes it: quoted only where it must be."""
    return name if _PLAIN.fullmatch(name) else quote_name(name)


def listed(names: Iterable[str]) -> str:
    """``(a, b)``."""
    return f"({', '.join(map(sql_name, names))})"


def is_bookkeeping(name: str) -> bool:
    return name == ALEMBIC or name.startswith(_BOOKKEEPING)


def _words(*parts: str) -> str:
    return " ".join(part for part in parts if part)
