"""The schema as the files say it is: their statements followed one by one, without a database."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from runner.domain.ddl import Effect
from runner.domain.ddl_table import Key


@dataclass(frozen=True)
class TableOutline:
    """A table's columns, its foreign keys with the effect that declared each, and what its constraints index."""

    columns: frozenset[str] = frozenset()
    keys: tuple[tuple[Key, Any], ...] = ()  # the second is the caller's: where the key was declared
    indexed: tuple[tuple[str, ...], ...] = ()
    constraints: frozenset[tuple[str, tuple[str, ...]]] = frozenset()  # those with a name, and their columns
    opaque: bool = False  # not all its columns are known


@dataclass(frozen=True)
class IndexOutline:
    """An index, with the words of each of its keys."""

    table: str
    columns: tuple[tuple[str, ...], ...]


@dataclass
class Outline:
    """What is there. ``follow`` changes it by one statement's effect; ``things`` lists it."""

    tables: dict[str, TableOutline] = field(default_factory=dict)
    indexes: dict[str, IndexOutline] = field(default_factory=dict)
    triggers: dict[tuple[str, str], str] = field(default_factory=dict)  # by name and table
    others: set[tuple[str, str]] = field(default_factory=set)  # kind and name
    temporary: set[str] = field(default_factory=set)
    # The foreign keys of tables that were dropped: where one comes back by a rename, they are the old ones.
    former: dict[str, tuple[tuple[Key, Any], ...]] = field(default_factory=dict)

    def copy(self) -> Outline:
        return Outline(dict(self.tables), dict(self.indexes), dict(self.triggers), set(self.others))

    def things(self, names: Collection[str]) -> Iterator[tuple[str, str]]:
        """What is of these names, or of tables of these names: its kind, and its name.

        The name of a column or a constraint has the table's before it.
        """
        for name in names:
            table = self.tables.get(name)
            if table is None:
                continue
            yield "table", name
            for column in table.columns:
                yield "column", f"{name}.{column}"
            for constraint, _ in table.constraints:
                yield "constraint", f"{name}.{constraint}"
        for name, index in self.indexes.items():
            if name in names or index.table in names:
                yield "index", name
        for (name, _), of in self.triggers.items():
            if name in names or of in names:
                yield "trigger", name
        for kind, name in self.others:
            if name in names:
                yield kind, name

    def follow(self, effect: Effect, where: Any = None) -> bool:
        """Change the outline by an effect; False where it drops or renames what is not there."""
        if effect.name in self.temporary or effect.table in self.temporary or effect.temporary:
            self.temporary.add(effect.name)
            return True
        match effect.kind:
            case "table":
                return self._table(effect, where)
            case "column" | "constraint":
                return self._part(effect, where)
            case "index":
                return self._index(effect)
            case "trigger" | "policy" | "rule":
                return self._trigger(effect)
        thing = (effect.kind, effect.name)
        there = thing in self.others
        if effect.verb != "create":
            self.others.discard(thing)
        if effect.verb != "drop":
            self.others.add((effect.kind, effect.to or effect.name))
        return there or effect.verb == "create"

    def _table(self, effect: Effect, where: Any) -> bool:
        name = effect.name
        if effect.verb == "create":
            if name not in self.tables or not effect.guarded:
                self.tables[name] = TableOutline(
                    frozenset(column.name for column in effect.columns),
                    tuple((key, where) for key in effect.keys),
                    effect.indexed,
                    opaque=effect.opaque,
                )
            return True
        table = self.tables.pop(name, None)
        if effect.verb == "drop":
            self.former[name] = table.keys if table else ()
            self.indexes = {key: index for key, index in self.indexes.items() if index.table != name}
            self.triggers = {key: of for key, of in self.triggers.items() if of != name}
        elif table is not None:
            before = {(key.columns, key.parent): (key, where) for key, where in self.former.get(effect.to, ())}
            keys = tuple(before.get((key.columns, key.parent), (key, where)) for key, where in table.keys)
            self.tables[effect.to] = replace(table, keys=keys)
            for key, index in self.indexes.items():
                if index.table == name:
                    self.indexes[key] = replace(index, table=effect.to)
            self.triggers = {
                (trigger, effect.to if of == name else of): effect.to if of == name else of
                for (trigger, _), of in self.triggers.items()
            }
        return table is not None

    def _part(self, effect: Effect, where: Any) -> bool:
        """A column or a constraint of a table."""
        table = self.tables.get(effect.table)
        if table is None:
            return effect.verb == "create"
        there = True
        if effect.verb == "create":
            if effect.kind == "column":
                table = replace(table, columns=table.columns | {effect.name})
            elif effect.name:
                columns = tuple(column for key in effect.keys for column in key.columns)
                columns += tuple(column for group in effect.indexed for column in group)
                table = replace(table, constraints=table.constraints | {(effect.name, columns)})
            table = replace(
                table,
                keys=table.keys + tuple((key, where) for key in effect.keys),
                indexed=table.indexed + effect.indexed,
            )
        elif effect.kind == "constraint":
            # One that the table was made with is not known by name; whether it is there cannot be said.
            mine = {one for one in table.constraints if one[0] == effect.name}
            kept = table.constraints - mine
            table = replace(table, constraints=kept | {(effect.to, one[1]) for one in mine if effect.to})
        else:
            there = effect.name in table.columns or table.opaque
            table = self._without_column(effect, table)
        self.tables[effect.table] = table
        return there

    def _without_column(self, effect: Effect, table: TableOutline) -> TableOutline:
        """The table without a column, or with another name for it, and its indexes likewise."""
        old, new = effect.name, effect.to

        def renamed(columns: tuple[str, ...]) -> tuple[str, ...]:
            return tuple(new if column == old else column for column in columns)

        kept = [(key, where) for key, where in table.keys if new or old not in key.columns]
        for name, index in list(self.indexes.items()):
            if index.table != effect.table or not any(old in columns for columns in index.columns):
                continue
            if new:
                self.indexes[name] = replace(index, columns=tuple(map(renamed, index.columns)))
            else:
                del self.indexes[name]  # it goes with its column
        return replace(
            table,
            columns=(table.columns - {old}) | ({new} if new else set()),
            keys=tuple((replace(key, columns=renamed(key.columns)), where) for key, where in kept),
            constraints=frozenset(
                (name, renamed(columns)) for name, columns in table.constraints if new or old not in columns
            ),
            indexed=tuple(renamed(columns) for columns in table.indexed if new or old not in columns),
        )

    def _index(self, effect: Effect) -> bool:
        if effect.verb == "create":
            name = effect.name or f"(an index of {effect.table} without a name)"
            if name not in self.indexes or not effect.guarded:
                self.indexes[name] = IndexOutline(effect.table, effect.indexed)
            return True
        index = self.indexes.pop(effect.name, None)
        if index is not None and effect.to:
            self.indexes[effect.to] = index
        return index is not None

    def _trigger(self, effect: Effect) -> bool:
        if effect.verb == "create":
            self.triggers[(effect.name, effect.table)] = effect.table
            return True
        key = next(
            (key for key in self.triggers if key[0] == effect.name and effect.table in ("", key[1])),
            None,
        )
        if key is None:
            return False
        table = self.triggers.pop(key)
        if effect.to:
            self.triggers[(effect.to, table)] = table
        return True
