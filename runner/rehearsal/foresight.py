"""What rows have to be beyond the schema that they are made for: such as other versions can hold too.

A rollback takes rows back to the version before, and a migration to come adds a key or a condition, which values that
are made up would break, though real ones keep it. That a column may be NULL now and not later is left as it is: to see
to that is the migration's business.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from runner.catalog.model import Catalog, Check, ForeignKey, Table, Unique
from runner.rehearsal.values import Kind, kind_of, named_columns, narrower


@dataclass(frozen=True)
class Foresight:
    """``before``: the version that a rollback leads to, if there is one; ``later``: those to come."""

    before: Catalog | None = None
    later: Sequence[Catalog] = ()

    @property
    def _others(self) -> tuple[Catalog, ...]:
        return (*((self.before,) if self.before else ()), *self.later)

    def merged(self, catalog: Catalog) -> Catalog:
        """The schema with the keys and conditions of the others, as far as what they speak of is there."""
        return replace(catalog, tables=tuple(self._merged(table, catalog) for table in catalog.tables))

    def _merged(self, table: Table, catalog: Catalog) -> Table:
        names = {column.name for column in table.columns}
        keys = list(table.foreign_keys)
        uniques = list(table.uniques)
        checks = list(table.checks)
        for other in self._others:
            twin = other.by_name.get(table.name)
            if twin is None:
                continue
            keys += [key for key in twin.foreign_keys if _new_key(key, keys, names)]
            uniques += [one for one in twin.uniques if one not in uniques and set(one.columns) <= names]
            uniques += _unique_indexes(other, table.name, names)
            checks += [one for one in twin.checks if one not in checks and _speaks_of(one, twin, catalog) <= names]
        return replace(table, foreign_keys=tuple(keys), uniques=tuple(uniques), checks=tuple(checks))

    def kinds(self, table: Table, catalog: Catalog) -> dict[str, Kind]:
        """What each column can hold, here and in the other versions."""
        kinds = {column.name: kind_of(column, catalog) for column in table.columns}
        for other in self._others:
            twin = other.by_name.get(table.name)
            for column in twin.columns if twin else ():
                if column.name in kinds:
                    wanted = kind_of(column, other)
                    if other is not self.before:
                        wanted = replace(wanted, nullable=True)
                    kinds[column.name] = narrower(kinds[column.name], wanted)
        return kinds


def _new_key(key: ForeignKey, known: Sequence[ForeignKey], names: set[str]) -> bool:
    return set(key.columns) <= names and all(key.columns != one.columns for one in known)


def _unique_indexes(catalog: Catalog, table: str, names: set[str]) -> list[Unique]:
    indexes = (index for index in catalog.indexes_of(table) if index.unique)
    return [Unique(index.keys) for index in indexes if set(index.keys) <= names]


def _speaks_of(check: Check, table: Table, catalog: Catalog) -> set[str]:
    """The columns of a table that a check is about."""
    words = named_columns(check.expression, catalog.dialect)
    return {column.name for column in table.columns if column.name.lower() in words}
