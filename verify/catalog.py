"""The live catalog of either dialect as one value: tables, their keys, and the foreign keys between them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import cached_property

from verify.quoting import Dialect, as_text, joined, quote_identifier

# What migration tools write for themselves; not the user's data.
BOOKKEEPING_TABLES: tuple[str, ...] = ("_yoyo_*", "yoyo_lock", "_maxwell_*", "alembic_version")


@dataclass(frozen=True)
class Table:
    """One table of the user's. ``address`` says where a row without a usable key is (rowid or ctid)."""

    name: str
    schema: str
    dialect: Dialect
    columns: tuple[str, ...]
    key: tuple[str, ...]  # the primary key's columns in key order; empty: none
    address: str | None  # None: SQLite's WITHOUT ROWID, whose key is never NULL
    partition: bool = False  # its rows are counted and checked with the table that it is a part of
    bytes: int | None = None  # its size on disk, where the catalog knows it
    key_is_rowid: bool = False  # SQLite: INTEGER PRIMARY KEY, another name for where the row is

    @property
    def sql(self) -> str:
        """The table's name for a FROM clause; the schema keeps a temporary table of that name out of it."""
        return f"{quote_identifier(self.schema)}.{quote_identifier(self.name)}"

    def row_key(self, alias: str) -> str:
        """An expression for the row's key as text: key columns joined by commas, else where the row is."""
        key = joined(as_text(f"{alias}.{quote_identifier(column)}", self.dialect) for column in self.key)
        if self.address is None or (key and self.dialect == "postgres"):
            return key  # it cannot be NULL
        # "rowid 7", "ctid (0,7)": a place, not to be taken for a key.
        place = f"'{self.address} ' || CAST({alias}.{self.address} AS text)"
        return f"coalesce({key}, {place})" if key else place


@dataclass(frozen=True)
class ForeignKey:
    """One declared foreign key; ``problem`` says why no row can be held against it."""

    child: str
    columns: tuple[str, ...]
    parent: str
    parent_columns: tuple[str, ...]
    parent_schema: str
    number: int | None = None  # SQLite's number of the key within its table
    match_full: bool = False
    collations: tuple[str | None, ...] = ()  # PostgreSQL: to compare with, where child and parent differ
    same_form: bool = False  # SQLite: what is equal is the same value byte for byte, so that sorted lists can be merged
    problem: str | None = None


@dataclass(frozen=True)
class Catalog:
    """What one schema declares: the one current on PostgreSQL, the main database on SQLite."""

    dialect: Dialect
    schema: str
    tables: tuple[Table, ...]
    foreign_keys: tuple[ForeignKey, ...]
    relations: Mapping[str, frozenset[str]]  # tables and views, bookkeeping too, with their columns
    rows: Mapping[str, int] = field(default_factory=dict)  # SQLite: about how many, by table; only where there are many
    checked: frozenset[str] = frozenset()  # SQLite: the tables with CHECK constraints
    bytes: int | None = None  # SQLite: the size of the file
    version: int = 0  # PostgreSQL: 16

    @cached_property
    def by_name(self) -> dict[str, Table]:
        return {table.name: table for table in self.tables}

    @cached_property
    def whole_tables(self) -> tuple[Table, ...]:
        """The tables without their partitions, which would show every row twice."""
        return tuple(table for table in self.tables if not table.partition)

    @cached_property
    def _folded(self) -> dict[str, frozenset[str]]:
        return {
            self._fold(name): frozenset(map(self._fold, columns)) | columns for name, columns in self.relations.items()
        }

    def _fold(self, name: str) -> str:
        return name.lower() if self.dialect == "sqlite" else name

    def missing(self, requirement: str) -> str | None:
        """Why ``table`` or ``table.column`` is not met, in words; None if it is."""
        name, _, column = requirement.partition(".")
        columns = self._folded.get(self._fold(name))
        if columns is None:
            return f'table "{name}" is not there'
        if column and self._fold(column) not in columns:
            return f'table "{name}" has no column "{column}"'
        return None


def is_ignored(name: str, patterns: Collection[str]) -> bool:
    """Whether a table is among those to leave alone: names, or patterns such as ``_yoyo_*``."""
    return any(fnmatchcase(name, pattern) for pattern in patterns)
