"""Rows for every table of any schema, as its catalog tells what they may be: what a rehearsal runs over.

Values are of their columns' types, and differ from row to row. Foreign keys point at rows that are there: a table comes
after those that it refers to, and a circle is broken where a column may be NULL, and closed afterwards. What a CHECK or
a trigger wants is found by trying values that constraints name, and some that often will do.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from itertools import islice, product
from typing import TYPE_CHECKING, Any

from runner import interruption
from runner.catalog.model import Catalog, Check, Column, ForeignKey, Table, Unique
from runner.domain.migration import Dialect
from runner.domain.quoting import quote_name
from runner.domain.sql import tokens
from runner.rehearsal.json_hints import JsonHints
from runner.rehearsal.values import (
    Value,
    candidates,
    kind_of,
    literals,
    named_columns,
    narrower,
    value_of,
)

if TYPE_CHECKING:
    from verify.model import Check as VerifyCheck

TRIES = 400  # for one row, before its table is given up
_HOLE = "\0"  # for a value; no name and no expression has one
_PARENTS = 200  # rows of a parent to choose from

Row = dict[str, Value]


@dataclass(frozen=True)
class Unfilled:
    """A table for which no row could be made, or fewer than wanted, and what the database said to the last try."""

    table: str
    rows: int
    reason: str


class Filler:
    """Fills tables, and knows from one call to the next which it has filled."""

    def __init__(
        self,
        connection: Any,
        dialect: Dialect,
        checks: Sequence[VerifyCheck],
        rows: int,
        json: JsonHints | None = None,
    ) -> None:
        self.json = json or JsonHints()
        self._connection = connection
        self._dialect: Dialect = dialect
        self._rows = rows
        self._told = _told_by_checks(checks, dialect)
        self._number = 0
        self._filled: dict[str, tuple[str, ...]] = {}  # the columns that a table had when it was filled
        self._overrides: dict[str, Row] = {}  # by table: what a constraint wanted

    def fill(self, catalog: Catalog, other: Catalog | None = None) -> tuple[Unfilled, ...]:
        """Bring rows into every table that is empty or has got other columns since.

        ``other``: the schema to which a rollback will lead; the rows are such as that can hold too.
        """
        unfilled = []
        with self._transaction():
            for table in _in_order(catalog):
                interruption.check()
                columns = tuple(column.name for column in table.columns)
                there = self._count(table.name)
                wanted = self._rows if not there else self._rows // 2 if self._filled.get(table.name) != columns else 0
                self._filled[table.name] = columns
                if wanted:
                    made, reason = _TableFiller(self, table, catalog, other).fill(wanted, there)
                    if made < wanted and not (there + made):
                        unfilled.append(Unfilled(table.name, made, reason))
            self._close_circles(catalog)
        return tuple(unfilled)

    def next_number(self) -> int:
        self._number += 1
        return self._number

    def told(self, table: str, column: str) -> tuple[str, ...]:
        """The values that the checks allow, where they list them."""
        return self._told.get((table.lower(), column.lower()), ())

    def overrides(self, table: str) -> Row:
        return self._overrides.setdefault(table, {})

    def insert(self, table: str, row: Row) -> str | None:
        """None if the row is there now; else what the database said."""
        names = ", ".join(map(quote_name, row))
        holes = ", ".join([_HOLE] * len(row))
        values = f"({names}) VALUES ({holes})" if row else "DEFAULT VALUES"
        return self._try(f"INSERT INTO {quote_name(table)} {values}", tuple(row.values()))

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        with closing(self._connection.cursor()) as cursor:
            cursor.execute(sql)
            rows: list[tuple[Any, ...]] = cursor.fetchall()
            return rows

    def keys(self, table: str, columns: Sequence[str]) -> list[tuple[Any, ...]]:
        """Values of a parent's columns that a child may refer to."""
        listed = ", ".join(map(quote_name, columns))
        there = " AND ".join(f"{quote_name(column)} IS NOT NULL" for column in columns)
        return self.query(f"SELECT {listed} FROM {quote_name(table)} WHERE {there} ORDER BY {listed} LIMIT {_PARENTS}")

    def holds(self, expression: str, values: Mapping[str, Value], types: Mapping[str, str]) -> bool:
        """Does a CHECK let these values pass? True too where it cannot be asked about them alone."""
        casts = {name: f"CAST({_HOLE} AS {types[name]})" if types.get(name) else _HOLE for name in values}
        columns = ", ".join(f"{cast} AS {quote_name(name)}" for name, cast in casts.items())
        sql = self._with_holes(f"SELECT ({expression}) FROM (SELECT {columns}) AS t")
        with closing(self._connection.cursor()) as cursor:
            cursor.execute("SAVEPOINT maxwell_check")
            try:
                cursor.execute(sql, tuple(values.values()))
                (answer,) = cursor.fetchone()
            except self._connection.Error:
                cursor.execute("ROLLBACK TO SAVEPOINT maxwell_check")
                return False
            finally:
                cursor.execute("RELEASE SAVEPOINT maxwell_check")
        return answer is None or bool(answer)

    def _count(self, table: str) -> int:
        ((count,),) = self.query(f"SELECT count(*) FROM {quote_name(table)}")
        return int(count)

    def _try(self, sql: str, values: tuple[Any, ...] = ()) -> str | None:
        """Run a statement, and undo what a failing one did."""
        with closing(self._connection.cursor()) as cursor:
            cursor.execute("SAVEPOINT maxwell_row")
            try:
                cursor.execute(self._with_holes(sql), values) if values else cursor.execute(sql)
                if self._dialect == "postgres" and cursor.description:
                    cursor.fetchall()
            except self._connection.Error as error:
                cursor.execute("ROLLBACK TO SAVEPOINT maxwell_row")
                return " ".join(str(error).split())
            finally:
                cursor.execute("RELEASE SAVEPOINT maxwell_row")
            return None

    def _with_holes(self, sql: str) -> str:
        """A statement in the driver's own form; a name may have a '%' or a '?' in it."""
        return sql.replace(_HOLE, "?") if self._dialect == "sqlite" else sql.replace("%", "%%").replace(_HOLE, "%s")

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        """With foreign keys held to at once, on SQLite too."""
        lite = self._dialect == "sqlite"
        with closing(self._connection.cursor()) as cursor:
            if lite:
                cursor.execute("PRAGMA foreign_keys = ON")
            cursor.execute("BEGIN")
            try:
                if not lite:
                    cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
                yield
                cursor.execute("COMMIT")
            except BaseException:
                if not getattr(self._connection, "closed", False):
                    cursor.execute("ROLLBACK")
                raise
            finally:
                if lite:
                    cursor.execute("PRAGMA foreign_keys = OFF")

    def _close_circles(self, catalog: Catalog) -> None:
        """Let some rows point at others where that had to be left out when they were made."""
        for table in catalog.tables:
            if table.kind != "table" or table.partition or table.primary_key is None:
                continue
            for key in table.foreign_keys:
                if all(table.by_name[column].nullable for column in key.columns):
                    self._point(table, table.primary_key, key)

    def _point(self, table: Table, primary: Unique, key: ForeignKey) -> None:
        """Only where no row points anywhere yet."""
        if set(key.columns) & set(primary.columns) or any(table.by_name[name].generated for name in key.columns):
            return
        set_ones = " OR ".join(f"{quote_name(column)} IS NOT NULL" for column in key.columns)
        if self.query(f"SELECT 1 FROM {quote_name(table.name)} WHERE {set_ones} LIMIT 1"):
            return
        parents = self.keys(key.parent, key.parent_columns)
        rows = self.keys(table.name, primary.columns)[: (self._rows + 1) // 2]
        sets = ", ".join(f"{quote_name(column)} = {_HOLE}" for column in key.columns)
        where = " AND ".join(f"{quote_name(column)} = {_HOLE}" for column in primary.columns)
        for number, row in enumerate(rows if parents else ()):
            parent = parents[number % len(parents)]
            self._try(f"UPDATE {quote_name(table.name)} SET {sets} WHERE {where}", (*parent, *row))


class _TableFiller:
    """Makes the rows of one table."""

    def __init__(self, filler: Filler, table: Table, catalog: Catalog, other: Catalog | None) -> None:
        self._filler = filler
        self._dialect: Dialect = catalog.dialect
        twin = other.by_name.get(table.name) if other else None
        self._table = _both(table, twin)
        self._kinds = {column.name: kind_of(column, catalog) for column in table.columns}
        if twin and other:
            for column in twin.columns:
                if column.name in self._kinds:
                    self._kinds[column.name] = narrower(self._kinds[column.name], kind_of(column, other))
        self._number = 0
        self._columns = [column for column in table.columns if _takes_a_value(column)]
        self._unique = _unique_columns(self._table, catalog, other)
        self._parents = {
            key: filler.keys(key.parent, key.parent_columns)
            for key in self._table.foreign_keys
            if key.parent in catalog.by_name
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
            error = self._filler.insert(self._table.name, row)
            if error is not None and not self._search(row):
                return made, error
        return wanted, ""

    def _row(self, place: int) -> Row | None:
        """A row by the columns' types and the keys alone, with what earlier rows taught; None: a parent is missing."""
        number = self._number = self._filler.next_number()
        row: Row = {}
        for column in self._columns:
            name = column.name
            if self._left_out(column, place):
                continue
            told = self._filler.told(self._table.name, name)
            if self._kinds[name].nullable and place % 3 == 2 and name not in self._unique:
                row[name] = None
            elif told and name not in self._unique:
                row[name] = told[number % len(told)]
            else:
                row[name] = self._value(name, number)
        learnt = self._filler.overrides(self._table.name)
        row |= {name: value for name, value in learnt.items() if row.get(name) is not None and name not in self._unique}
        return row if self._refer(row, place) else None

    def _value(self, name: str, number: int) -> Value:
        kind, hints = self._kinds[name], self._filler.json
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
            parents = self._filler.keys(key.parent, key.parent_columns)
        fitting = [
            parent
            for parent in parents
            if all(row.get(name) == value for name, value in zip(key.columns, parent, strict=True) if name in decided)
        ]
        if nullable and place % 4 == 3:
            return None
        if alone:  # each parent once
            taken = set(self._filler.keys(self._table.name, key.columns))
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
                    self._filler.overrides(self._table.name).update(dict(zip(free, tried, strict=True)))
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
            return self._filler.holds(expression, {"value": value}, {"value": self._kinds[name].type})
        return self._filler.holds(expression, values, types)

    def _search(self, row: Row) -> bool:
        """Try other values until the database takes the row, and remember which it were."""
        for tried in islice(self._alternatives(row), TRIES):
            if self._filler.insert(self._table.name, tried) is None:
                keys = {name for key in self._table.foreign_keys for name in key.columns}
                changed = {name: value for name, value in tried.items() if row.get(name) != value and name not in keys}
                self._filler.overrides(self._table.name).update(changed)
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
        told = [*self._bounds, *self._filler.told(self._table.name, name)]
        for check in (*self._table.checks, *kind.checks):
            if check in kind.checks or name.lower() in named_columns(check.expression, self._dialect):
                told += literals(check.expression, self._dialect)
        pool = candidates(kind, told, usual, self._number, self._dialect)
        return [*pool, None] if kind.nullable else pool


def _takes_a_value(column: Column) -> bool:
    return column.generated is None and column.identity != "ALWAYS"


def _both(table: Table, twin: Table | None) -> Table:
    """A table with the constraints of its other version too, as far as they are about columns of both."""
    if twin is None:
        return table
    names = {column.name for column in table.columns}

    def about(columns: Sequence[str]) -> bool:
        return set(columns) <= names

    keys = [key for key in twin.foreign_keys if about(key.columns) and key.columns not in _columns_of(table)]
    checks: tuple[Check, ...] = tuple(check for check in twin.checks if check not in table.checks)
    uniques = [unique for unique in twin.uniques if about(unique.columns) and unique not in table.uniques]
    return replace(
        table,
        foreign_keys=(*table.foreign_keys, *keys),
        uniques=(*table.uniques, *uniques),
        checks=(*table.checks, *checks),
    )


def _columns_of(table: Table) -> set[tuple[str, ...]]:
    return {key.columns for key in table.foreign_keys}


def _unique_columns(table: Table, catalog: Catalog, other: Catalog | None) -> set[str]:
    """Columns in which each row has a value of its own, so that no unique constraint or index is in the way."""
    found = {name for unique in table.uniques for name in unique.columns}
    found |= set(table.primary_key.columns) if table.primary_key else set()
    for schema in (catalog, *((other,) if other else ())):
        for index in schema.indexes_of(table.name):
            if index.unique:
                words = {word for key in index.keys for word in named_columns(key, catalog.dialect)}
                found |= {column.name for column in table.columns if column.name.lower() in words}
    return found


def _in_order(catalog: Catalog) -> list[Table]:
    """Parents before their children; in a circle, first what may leave its key NULL."""
    waiting = {table.name: table for table in catalog.tables if table.kind == "table" and not table.partition}
    ordered: list[Table] = []

    def parents(table: Table, *, needed: bool) -> set[str]:
        return {
            key.parent
            for key in table.foreign_keys
            if key.parent in waiting
            and key.parent != table.name
            and not (needed and any(table.by_name[name].nullable for name in key.columns))
        }

    while waiting:
        ready = [table for table in waiting.values() if not parents(table, needed=False)]
        ready = ready or [table for table in waiting.values() if not parents(table, needed=True)][:1]
        for table in ready or list(waiting.values())[:1]:
            ordered.append(waiting.pop(table.name))
    return ordered


def _told_by_checks(checks: Sequence[VerifyCheck], dialect: Dialect) -> Mapping[tuple[str, str], tuple[str, ...]]:
    """By table and column the values that a check lists as the only ones: ``column NOT IN ('a', 'b')``."""
    found: dict[tuple[str, str], tuple[str, ...]] = {}
    for check in checks:
        words = [token.text for token in tokens(check.sql, dialect) if token.kind != "comment"]
        for requirement in check.requires:
            table, _, column = requirement.lower().partition(".")
            for place, word in enumerate(words):
                if column and word.lower().rpartition(".")[2] == column:
                    rest = [one.upper() for one in words[place + 1 : place + 4]]
                    if rest == ["NOT", "IN", "("]:
                        end = words.index(")", place)
                        listed = words[place + 4 : end]
                        found[table, column] = tuple(
                            one[1:-1].replace("''", "'") for one in listed if one.startswith("'")
                        )
    return {key: values for key, values in found.items() if values}
