"""One logical schema in two dialects: what SQLite's catalog has otherwise than PostgreSQL's, by meaning.

Types are compared through a map, defaults by what a row gets, triggers by table and event. What exists in one dialect
alone (functions, sequences, enums, domains, policies, storage) is not compared.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TypeVar

from runner.catalog.meaning import NO_DEFAULT, DefaultMeaning, default_meaning, normal
from runner.catalog.model import Catalog, Column, ForeignKey, Index, Table, Trigger, listed, sql_name
from runner.catalog.types import same_type, type_meaning

Part = TypeVar("Part")


@dataclass(frozen=True)
class Disparity:
    """One object in which the dialects differ, with its SQL in short in each; None: not there.

    Not ``certain``: the two are written differently, and only a person can say whether they mean the same.
    """

    kind: str
    name: str
    sqlite: str | None
    postgres: str | None
    certain: bool = True

    @property
    def object(self) -> str:
        return f"{self.kind} {self.name}"

    @property
    def key(self) -> tuple[str, str]:
        return self.kind, self.name


def disparities(sqlite: Catalog, postgres: Catalog) -> tuple[Disparity, ...]:
    """What the two catalogs do not have in common, by table; empty if they are one logical schema."""
    found: list[Disparity] = []
    postgres = _without_domains(postgres)
    one, other = _by_fold(sqlite.tables), _by_fold(postgres.tables)
    for name in sorted(one.keys() | other.keys()):
        first, second = one.get(name), other.get(name)
        if first is None or second is None:
            whole = first or second
            assert whole is not None
            columns = listed(column.name for column in whole.columns)
            shown = (columns if first else None, columns if second else None)
            found.append(Disparity("table", sql_name(whole.name), *shown))
            continue
        found += _columns(first, second)
        found += _constraints(first, second)
        found += _indexes(sqlite, postgres, first, second)
        found += _triggers(sqlite, postgres, first, second)
    return (*found, *_views(sqlite, postgres))


def _without_domains(postgres: Catalog) -> Catalog:
    """A column of a domain is one of the domain's own type."""
    domains = {domain.name: domain for domain in postgres.domains}

    def plain(column: Column) -> Column:
        while (domain := domains.get(column.type.strip('"'))) is not None:
            default = domain.default if column.default is None else column.default
            nullable = column.nullable and domain.nullable
            column = replace(column, type=domain.base, nullable=nullable, default=default)
        return column

    tables = tuple(replace(table, columns=tuple(map(plain, table.columns))) for table in postgres.tables)
    return replace(postgres, tables=tables)


def _by_fold(tables: tuple[Table, ...]) -> dict[str, Table]:
    # A partition is storage; its rows and columns are those of the table that it is a part of.
    return {table.name.lower(): table for table in tables if not table.partition}


def _columns(one: Table, other: Table) -> Iterator[Disparity]:
    first = {column.name.lower(): column for column in one.columns}
    second = {column.name.lower(): column for column in other.columns}
    for name in [*first, *(name for name in second if name not in first)]:
        mine, theirs = first.get(name), second.get(name)
        shown = f"{sql_name(other.name)}.{sql_name((theirs or mine or one.columns[0]).name)}"
        if mine is None or theirs is None:
            there = (mine.sql if mine else None, theirs.sql if theirs else None)
            yield Disparity("column", shown, *there)
        else:
            yield from _column(shown, mine, theirs, one)
    order = [name for name in first if name in second], [name for name in second if name in first]
    if order[0] != order[1]:
        yield Disparity("column order", f"of {sql_name(other.name)}", ", ".join(order[0]), ", ".join(order[1]))


def _column(name: str, sqlite: Column, postgres: Column, table: Table) -> Iterator[Disparity]:
    if not same_type(sqlite, postgres, strict="STRICT" in table.options):
        yield Disparity("type", f"of {name}", sqlite.type or "(no type)", postgres.type)
    if sqlite.nullable != postgres.nullable:
        words = {True: "NULL", False: "NOT NULL"}
        yield Disparity("nullability", f"of {name}", words[sqlite.nullable], words[postgres.nullable])
    if (sqlite.generated is None) != (postgres.generated is None):
        yield Disparity("generated column", name, sqlite.generated, postgres.generated)
        return
    one, other = default_meaning(sqlite, "sqlite"), default_meaning(postgres, "postgres")
    if one == other or (other.kind == "key" and one == NO_DEFAULT and _is_rowid(sqlite, table)):
        return
    certain = not {one.kind, other.kind} <= {"expression"} and not _in_a_text(one, other, sqlite)
    yield Disparity("default", f"of {name}", _default(sqlite), _default(postgres), certain=certain)


def _is_rowid(column: Column, table: Table) -> bool:
    """SQLite counts an INTEGER PRIMARY KEY up by itself."""
    key = table.primary_key.columns if table.primary_key else ()
    return key == (column.name,) and column.type == "INTEGER" and "WITHOUT ROWID" not in table.options


def _in_a_text(one: DefaultMeaning, other: DefaultMeaning, sqlite: Column) -> bool:
    """An expression of SQLite's that makes a text, for what PostgreSQL has a type for (a uuid, say)."""
    return one.kind == "expression" == other.kind and type_meaning(sqlite.type, "sqlite").family in ("text", "varchar")


def _default(column: Column) -> str | None:
    return column.default if column.default is not None else column.identity


def _constraints(one: Table, other: Table) -> Iterator[Disparity]:
    name = sql_name(other.name)
    keys = tuple(_folded(table.primary_key.columns) if table.primary_key else () for table in (one, other))
    if keys[0] != keys[1]:
        shown = [f"PRIMARY KEY {listed(key)}" if key else None for key in keys]
        yield Disparity("primary key", f"of {name}", shown[0], shown[1])
    yield from _paired("foreign key", name, one.foreign_keys, other.foreign_keys, _reference, _same_key)
    first, second = _check_meanings(one), _check_meanings(other)
    for text in sorted(first.keys() ^ second.keys()):
        shown_name = f"({first.get(text) or second.get(text)}) on {name}"
        yield Disparity("check", shown_name, first.get(text), second.get(text), certain=False)


def _check_meanings(table: Table) -> dict[str, str]:
    return {normal(check.expression): check.expression for check in table.checks}


def _reference(key: ForeignKey) -> str:
    return f"{listed(_folded(key.columns))} to {key.parent.lower()}"


def _same_key(one: ForeignKey, other: ForeignKey) -> bool:
    def meaning(key: ForeignKey) -> tuple[object, ...]:
        deferred = "INITIALLY DEFERRED" in key.options
        return _folded(key.parent_columns), key.on_delete, key.on_update, deferred

    return meaning(one) == meaning(other)


def _indexes(sqlite: Catalog, postgres: Catalog, one: Table, other: Table) -> Iterator[Disparity]:
    name = sql_name(other.name)
    first, second = sqlite.indexes_of(one.name), postgres.indexes_of(other.name)
    yield from _paired("unique constraint", name, _uniques(one, first), _uniques(other, second), _identity, _always)
    yield from _paired("index", name, _plain(first), _plain(second), _index_name, _same_index)


def _uniques(table: Table, indexes: tuple[Index, ...]) -> tuple[str, ...]:
    """The columns of each unique constraint; a unique index over whole columns and all rows is one by another name."""
    columns = {column.name.lower() for column in table.columns}
    keys = [_folded(unique.columns) for unique in table.uniques]
    keys += [_folded(index.keys) for index in indexes if _is_unique_constraint(index, columns)]
    return tuple(sorted({listed(key) for key in keys}))


def _is_unique_constraint(index: Index, columns: set[str] | None = None) -> bool:
    return index.unique and index.predicate is None and (columns is None or set(_folded(index.keys)) <= columns)


def _plain(indexes: tuple[Index, ...]) -> tuple[Index, ...]:
    return tuple(index for index in indexes if not (_is_unique_constraint(index) and _columns_alone(index)))


def _columns_alone(index: Index) -> bool:
    return all(key.replace("_", "a").isalnum() for key in index.keys)


def _index_name(index: Index) -> str:
    return index.name.lower()


def _same_index(one: Index, other: Index) -> bool:
    def meaning(index: Index) -> tuple[object, ...]:
        keys = tuple(_key(key) for key in index.keys)
        return keys, index.unique, index.predicate and normal(index.predicate)

    return meaning(one) == meaning(other) and other.valid


def _key(key: str) -> str:
    """A key without the place of its NULLs, and without its operator class, which SQLite has not."""
    text = normal(key)
    for ending in (" nulls first", " nulls last"):
        text = text.removesuffix(ending)
    words = [word for word in text.split() if not word.endswith("_ops")]
    return " ".join(words)


def _triggers(sqlite: Catalog, postgres: Catalog, one: Table, other: Table) -> Iterator[Disparity]:
    """By event: SQLite needs a trigger for each, and sets a row's own column after the fact where PostgreSQL does
    before; so neither their number nor BEFORE and AFTER are compared."""
    first, second = _events(sqlite.triggers_of(one.name)), _events(postgres.triggers_of(other.name))
    for event in sorted(first.keys() ^ second.keys()):
        shown = f"on {event} of {sql_name(other.name)}"
        yield Disparity("trigger", shown, first.get(event), second.get(event))


def _events(triggers: tuple[Trigger, ...]) -> dict[str, str]:
    found: dict[str, str] = {}
    for trigger in triggers:
        if trigger.enabled == "disabled":
            continue
        for event in trigger.events:
            word = event.partition(" ")[0]
            found.setdefault(word, f"{trigger.name} {trigger.timing} {event}")
    return found


def _views(sqlite: Catalog, postgres: Catalog) -> Iterator[Disparity]:
    first = {view.name.lower(): view for view in sqlite.views}
    second = {view.name.lower(): view for view in postgres.views}
    for name in sorted(first.keys() | second.keys()):
        one, other = first.get(name), second.get(name)
        if one is None or other is None or _folded(one.columns) != _folded(other.columns):
            shown = [None if view is None else listed(view.columns) for view in (one, other)]
            yield Disparity("view", name, shown[0], shown[1])


def _paired(
    kind: str,
    table: str,
    sqlite: tuple[Part, ...],
    postgres: tuple[Part, ...],
    name: Callable[[Part], str],
    same: Callable[[Part, Part], bool],
) -> Iterator[Disparity]:
    """Parts of a table, one beside the other by what they are known as."""
    first: Mapping[str, Part] = {name(part): part for part in sqlite}
    second: Mapping[str, Part] = {name(part): part for part in postgres}
    for known in sorted(first.keys() | second.keys()):
        one, other = first.get(known), second.get(known)
        if one is None or other is None or not same(one, other):
            shown = [None if part is None else str(getattr(part, "sql", part)) for part in (one, other)]
            yield Disparity(kind, f"{known} on {table}", shown[0], shown[1])


def _identity(text: str) -> str:
    return text


def _always(one: str, other: str) -> bool:
    return True


def _folded(names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(name.lower() for name in names)
