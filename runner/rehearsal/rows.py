"""Rows for every table of any schema, as its catalog tells what they may be: what a rehearsal runs over.

Values are of their columns' types, and differ from row to row. Foreign keys point at rows that are there: a table comes
after those that it refers to, and a circle is broken where a column may be NULL, and closed afterwards. What a CHECK or
a trigger wants is found by trying values that constraints name, and some that often will do.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from runner import interruption
from runner.catalog.model import Catalog, ForeignKey, Table, Unique
from runner.domain.migration import Dialect
from runner.domain.quoting import quote_name
from runner.rehearsal.foresight import Foresight
from runner.rehearsal.hints import JsonHints, told_by_checks
from runner.rehearsal.table_rows import Lore, TableFiller, is_there
from runner.rehearsal.writer import HOLE, Writer

if TYPE_CHECKING:
    from verify.model import Check

NO_FORESIGHT = Foresight()


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
        checks: Sequence[Check],
        rows: int,
        json: JsonHints | None = None,
    ) -> None:
        self._writer = Writer(connection, dialect)
        self._lore = Lore(told_by_checks(checks, dialect), json or JsonHints())
        self._rows = rows
        self._filled: dict[str, tuple[str, ...]] = {}  # the columns that a table had when it was filled

    def fill(self, catalog: Catalog, foresight: Foresight = NO_FORESIGHT) -> tuple[Unfilled, ...]:
        """Bring rows into every table that is empty or has got other columns since; such as other versions hold too."""
        unfilled = []
        now, catalog = catalog, foresight.merged(catalog)
        with self._writer.transaction():
            self._mend(now, catalog)
            for table in _in_order(catalog):
                interruption.check()
                columns = tuple(column.name for column in table.columns)
                there = self._writer.count(table.name)
                wanted = self._rows if not there else self._rows // 2 if self._filled.get(table.name) != columns else 0
                self._filled[table.name] = columns
                if wanted:
                    kinds = foresight.kinds(table, catalog)
                    made, reason = TableFiller(self._writer, self._lore, table, catalog, kinds).fill(wanted, there)
                    if made < wanted and not (there + made):
                        unfilled.append(Unfilled(table.name, made, reason))
            self._close_circles(catalog)
        return tuple(unfilled)

    def _mend(self, now: Catalog, merged: Catalog) -> None:
        """A key that is to come does not hold yet: rows may refer to what a rollback has taken away."""
        for table in merged.tables:
            declared = {key.columns for key in now.by_name[table.name].foreign_keys}
            for key in table.foreign_keys:
                free = [name for name in key.columns if table.by_name[name].nullable]
                if key.columns in declared or not free or not is_there(key, now):
                    continue
                child, parent = quote_name(table.name), quote_name(key.parent)
                pairs = zip(key.columns, key.parent_columns, strict=True)
                same = " AND ".join(f"p.{quote_name(two)} = {child}.{quote_name(one)}" for one, two in pairs)
                self._writer.attempt(
                    f"UPDATE {child} SET {', '.join(f'{quote_name(name)} = NULL' for name in free)}"
                    f" WHERE NOT EXISTS (SELECT 1 FROM {parent} AS p WHERE {same})"
                )

    def _close_circles(self, catalog: Catalog) -> None:
        """Let some rows point at others where that had to be left out when they were made."""
        for table in catalog.tables:
            if table.kind != "table" or table.partition or table.primary_key is None:
                continue
            for key in table.foreign_keys:
                if is_there(key, catalog) and all(table.by_name[column].nullable for column in key.columns):
                    self._point(table, table.primary_key, key)

    def _point(self, table: Table, primary: Unique, key: ForeignKey) -> None:
        """Only where no row points anywhere yet."""
        if set(key.columns) & set(primary.columns) or any(table.by_name[name].generated for name in key.columns):
            return
        set_ones = " OR ".join(f"{quote_name(column)} IS NOT NULL" for column in key.columns)
        if self._writer.query(f"SELECT 1 FROM {quote_name(table.name)} WHERE {set_ones} LIMIT 1"):
            return
        parents = self._writer.keys(key.parent, key.parent_columns)
        rows = self._writer.keys(table.name, primary.columns)[: (self._rows + 1) // 2]
        sets = ", ".join(f"{quote_name(column)} = {HOLE}" for column in key.columns)
        where = " AND ".join(f"{quote_name(column)} = {HOLE}" for column in primary.columns)
        for number, row in enumerate(rows if parents else ()):
            parent = parents[number % len(parents)]
            self._writer.attempt(f"UPDATE {quote_name(table.name)} SET {sets} WHERE {where}", (*parent, *row))


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
