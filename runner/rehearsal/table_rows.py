"""The rows of one table: by types and keys first, and then as its constraints want them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice, product
from typing import Any

from runner.catalog.model import Catalog, Column, ForeignKey, Table
from runner.domain.migration import Dialect
from runner.rehearsal.hints import JsonHints
from runner.rehearsal.values import Kind, Value, candidates, literals, named_columns, value_of
from runner.rehearsal.writer import Row, Writer

TRIES = 400  # for one row, before its table is given up


@dataclass
class Lore:
    """What is known of values beside the catalog, and what trying has taught."""

    listed: Mapping[tuple[str, str], tuple[str, ...]]  # by table and column: the values that checks list
    json: JsonHints
    overrides: dict[str, Row] = field(default_factory=dict)  # by table: what a constraint wanted
    number: int = 0

    def next_number(self) -> int:
        self.number += 1
        return self.number

    def told(self, table: str, column: str) -> tuple[str, ...]:
        return self.listed.get((table.lower(), column.lower()), ())


class TableFiller:
    """Makes the rows of one table."""

    def __init__(self, writer: Writer, lore: Lore, table: Table, catalog: Catalog, kinds: Mapping[str, Kind]) -> None:
        self._writer, self._lore = writer, lore
        self._dialect: Dialect = catalog.dialect
        self._table, self._kinds = table, kinds
        self._learnt = lore.overrides.setdefault(table.name, {})
        self._number = 0
        self._columns = [column for column in table.columns if _takes_a_value(column)]
        self._unique = _unique_columns(table, catalog)
        # Of a key that a later version brings the parent may be missing yet.
        self._to_come = {name for key in table.foreign_keys if not is_there(key, catalog) for name in key.columns}
        self._parents = {
            key: writer.keys(key.parent, key.parent_columns) for key in table.foreign_keys if is_there(key, catalog)
        }
        bounds = [part.options for part in catalog.tables if f"PARTITION OF {table.name}" in part.options]
        self._bounds = [text for bound in bounds for text in literals(bound, self._dialect)]

    def fill(self, wanted: int, there: int) -> tuple[int, str]:
        """How many rows were made, and what the database said to the one that could not be."""
        for made in range(wanted):
            row = self._row(there + made)
            if row is None:
                return made, "a row that it has to refer to is not there"
            self._solve(row)
            error = self._writer.insert(self._table.name, row)
            if error is not None and not self._search(row):
                return made, error
        return wanted, ""

    def _row(self, place: int) -> Row | None:
        """A row by the columns' types and the keys alone, with what earlier rows taught; None: a parent is missing."""
        number = self._number = self._lore.next_number()
        row: Row = {}
        for column in self._columns:
            name = column.name
            if self._left_out(column, place):
                continue
            told = self._lore.told(self._table.name, name)
            if self._kinds[name].nullable and (name in self._to_come or (place % 3 == 2 and name not in self._unique)):
                row[name] = None
            elif told and name not in self._unique:
                row[name] = told[number % len(told)]
            else:
                row[name] = self._value(name, number)
        row |= {
            name: value
            for name, value in self._learnt.items()
            if row.get(name) is not None and name not in self._unique
        }
        return row if self._refer(row, place) else None

    def _value(self, name: str, number: int) -> Value:
        kind, hints = self._kinds[name], self._lore.json
        of_json = kind.meaning.family == "json" or (kind.meaning.family == "text" and name.lower() in hints.columns)
        return hints.document(number) if of_json else value_of(kind, name, number, self._dialect)

    def _left_out(self, column: Column, place: int) -> bool:
        """Its default is what a row gets now and then; a key that counts itself always does."""
        if column.identity or (column.default or "").startswith("nextval("):
            return True
        return column.default is not None and place % 5 == 4 and column.name not in self._unique

    def _refer(self, row: Row, place: int) -> bool:
        """Point every foreign key at a row that is there; of two keys with a common column the first one decides it."""
        decided: set[str] = set()
        for key, parents in self._parents.items():
            if any(name in decided and row.get(name) is None for name in key.columns):
                continue  # a key with a NULL in it refers to nothing
            chosen = self._parent(key, parents, row, decided, place)
            if chosen is None:
                nullable = [name for name in key.columns if self._kinds[name].nullable and name not in decided]
                if nullable:
                    row[nullable[0]] = None
                elif not (key.parent == self._table.name and self._to_itself(key, row)):
                    return False
            else:
                row |= dict(zip(key.columns, chosen, strict=True))
            decided |= set(key.columns)
        return True

    def _parent(
        self, key: ForeignKey, parents: list[tuple[Any, ...]], row: Row, decided: set[str], place: int
    ) -> tuple[Any, ...] | None:
        nullable = all(self._kinds[name].nullable for name in key.columns)
        alone = any(tuple(key.columns) == columns for columns in self._unique_sets())
        if key.parent == self._table.name:
            parents = self._writer.keys(key.parent, key.parent_columns)
        fitting = [
            parent
            for parent in parents
            if all(row.get(name) == value for name, value in zip(key.columns, parent, strict=True) if name in decided)
        ]
        if nullable and place % 4 == 3:
            return None
        if alone:  # each parent once
            taken = set(self._writer.keys(self._table.name, key.columns))
            fitting = [parent for parent in fitting if parent not in taken]
            return fitting[0] if fitting else None
        # By another stride for each key, so that several keys do not go in step.
        stride = 1 + list(self._parents).index(key)
        return fitting[(place * stride + place // max(1, len(fitting))) % len(fitting)] if fitting else None

    def _to_itself(self, key: ForeignKey, row: Row) -> bool:
        """The first row of a table that must refer to itself."""
        if not all(name in row for name in key.parent_columns):
            return False
        row |= {name: row[parent] for name, parent in zip(key.columns, key.parent_columns, strict=True)}
        return True

    def _unique_sets(self) -> set[tuple[str, ...]]:
        found = {unique.columns for unique in self._table.uniques}
        return found | ({self._table.primary_key.columns} if self._table.primary_key else set())

    def _solve(self, row: Row) -> None:
        """Change what a CHECK does not let pass, each by itself, as far as trying finds something."""
        settled = {name for key in self._table.foreign_keys for name in key.columns}
        for expression, names in self._conditions(row):
            values = {name: row[name] for name in names}
            if self._asked(expression, values):
                settled |= names
                continue
            free = [name for name in names if name not in settled]
            for tried in islice(product(*(self._pool(name, row[name]) for name in free)), TRIES):
                if self._asked(expression, values | dict(zip(free, tried, strict=True))):
                    row |= dict(zip(free, tried, strict=True))
                    self._learnt.update(dict(zip(free, tried, strict=True)))
                    break
            settled |= names

    def _conditions(self, row: Row) -> list[tuple[str, set[str]]]:
        """The checks of the table with the columns that they speak of, and those of its columns' domains."""
        found = [
            (check.expression, {name for name in row if name.lower() in named_columns(check.expression, self._dialect)})
            for check in self._table.checks
        ]
        domains = [(check.expression, {name}) for name in row for check in self._kinds[name].checks]
        return sorted([*found, *domains], key=lambda condition: len(condition[1]))

    def _asked(self, expression: str, values: Row) -> bool:
        if not values:
            return True
        types = {} if self._dialect == "sqlite" else {name: self._kinds[name].type for name in values}
        if any(check.expression == expression for name in values for check in self._kinds[name].checks):
            ((name, value),) = values.items()
            return self._writer.holds(expression, {"value": value}, {"value": self._kinds[name].type})
        return self._writer.holds(expression, values, types)

    def _search(self, row: Row) -> bool:
        """Try other values until the database takes the row, and remember which it were."""
        for tried in islice(self._alternatives(row), TRIES):
            if self._writer.insert(self._table.name, tried) is None:
                keys = {name for key in self._table.foreign_keys for name in key.columns}
                changed = {name: value for name, value in tried.items() if row.get(name) != value and name not in keys}
                self._learnt.update(changed)
                return True
        return False

    def _alternatives(self, row: Row) -> Iterator[Row]:
        keys = {name for key in self._table.foreign_keys for name in key.columns}
        if any(set(columns) <= keys and len(columns) > 1 for columns in self._unique_sets()):
            yield from islice(self._other_parents(row), TRIES // 2)
        free = [name for name in row if name not in keys]
        pools = {name: self._pool(name, row[name]) for name in free}
        wanted = self._in_checks() or set(free)
        suspects = [name for name in free if name in wanted]
        for name in suspects:
            for value in pools[name]:
                yield row | {name: value}
        yield {name: value for name, value in row.items() if name in keys or not self._has_default(name)}
        yield row | {name: None for name in free if self._kinds[name].nullable}
        for values in product(*(pools[name][:12] for name in suspects[:4])):
            yield row | dict(zip(suspects[:4], values, strict=True))

    def _other_parents(self, row: Row) -> Iterator[Row]:
        """Other pairs, where each may be there but once."""
        known = {key: parents[:20] for key, parents in self._parents.items() if parents}
        for chosen in product(*known.values()):
            tried = dict(row)
            for key, parent in zip(known, chosen, strict=True):
                tried |= dict(zip(key.columns, parent, strict=True))
            yield tried

    def _has_default(self, name: str) -> bool:
        return self._table.by_name[name].default is not None

    def _in_checks(self) -> set[str]:
        """The columns that the table's checks and its columns' domains speak of."""
        words: set[str] = set()
        for check in self._table.checks:
            words |= named_columns(check.expression, self._dialect)
        found = {name for name in self._kinds if name.lower() in words or self._kinds[name].checks}
        return found | (set(self._kinds) if self._bounds else set())

    def _pool(self, name: str, usual: Value) -> list[Value]:
        kind = self._kinds[name]
        told = [*self._bounds, *self._lore.told(self._table.name, name)]
        for check in (*self._table.checks, *kind.checks):
            if check in kind.checks or name.lower() in named_columns(check.expression, self._dialect):
                told += literals(check.expression, self._dialect)
        pool = candidates(kind, told, usual, self._number, self._dialect)
        return [*pool, None] if kind.nullable else pool


def _takes_a_value(column: Column) -> bool:
    return column.generated is None and column.identity != "ALWAYS"


def is_there(key: ForeignKey, catalog: Catalog) -> bool:
    """Can the key's parent be asked for rows?"""
    parent = catalog.by_name.get(key.parent)
    return parent is not None and bool(key.parent_columns) and set(key.parent_columns) <= parent.by_name.keys()


def _unique_columns(table: Table, catalog: Catalog) -> set[str]:
    """Columns in which each row has a value of its own, so that no unique constraint or index is in the way."""
    found = {name for unique in table.uniques for name in unique.columns}
    found |= set(table.primary_key.columns) if table.primary_key else set()
    for index in catalog.indexes_of(table.name):
        if index.unique:
            words = {word for key in index.keys for word in named_columns(key, catalog.dialect)}
            found |= {column.name for column in table.columns if column.name.lower() in words}
    return found
