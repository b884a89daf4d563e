"""Two catalogs side by side: what is missing, unexpected or different, in the words of SQL; and their fingerprints.

A catalog is laid out as named objects, each with its SQL in short. Comparing them is comparing two such lists.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from typing import Literal

from runner.catalog.model import Catalog, ForeignKey, Table, Unique, View, listed, sql_name

Problem = Literal["missing", "unexpected", "different"]

COLUMN_ORDER = "column order"


@dataclass(frozen=True)
class Difference:
    """One object in which two catalogs differ. ``expected`` and ``found`` are its SQL in short; None: not there."""

    kind: str  # table, column, column order, primary key, foreign key, unique constraint, check, index, trigger, ...
    name: str  # as people say it: "scenes.title", "scenes_manuscript_id_idx on scenes"
    problem: Problem
    expected: str | None
    found: str | None

    @property
    def object(self) -> str:
        return f"{self.kind} {self.name}"

    def as_dict(self) -> dict[str, str | None]:
        return {
            "kind": self.kind,
            "name": self.name,
            "problem": self.problem,
            "expected": self.expected,
            "found": self.found,
        }


@dataclass(frozen=True)
class _Key:
    """By what an object is known; ``owner`` is the table or view without which it is not there."""

    kind: str
    name: str
    owner: str | None = None


def differences(expected: Catalog, found: Catalog) -> tuple[Difference, ...]:
    """What ``found`` has less, more or otherwise than ``expected``, by table and object; empty if they are equal.

    Of a table or view that is missing or unexpected as a whole its parts are not listed.
    """
    wanted, there = dict(_objects(expected)), dict(_objects(found))
    lost = {key.name for key in wanted.keys() - there.keys() if key.owner is None}
    new = {key.name for key in there.keys() - wanted.keys() if key.owner is None}
    result = []
    for key in sorted(wanted.keys() | there.keys(), key=_place):
        one, other = wanted.get(key), there.get(key)
        if key.kind == COLUMN_ORDER:
            one, other = _common_order(one, other)
        elif key.kind == "table" and (one is None or other is None):
            one, other = one and _whole(expected, key.name), other and _whole(found, key.name)
        if one == other or (key.owner and key.owner in (lost if other is None else new if one is None else ())):
            continue
        problem: Problem = "missing" if other is None else "unexpected" if one is None else "different"
        result.append(Difference(key.kind, key.name, problem, one, other))
    return tuple(result)


def _place(key: _Key) -> tuple[str, str, str, str]:
    """By table, the table itself first, then by kind and name: the same in each run."""
    return key.owner or key.name, key.owner or "", key.kind, key.name


def fingerprint(catalog: Catalog) -> str:
    """SHA-256, in hex, of a canonical text: equal for equal catalogs, whatever order their objects were made in."""
    return sha256("\0".join([catalog.dialect, *described(catalog)]).encode()).hexdigest()


def described(catalog: Catalog) -> list[str]:
    """Every object with its SQL in short, sorted: ``index scenes_idx on scenes: INDEX (position)``."""
    return sorted(f"{key.kind} {key.name}: {sql}" for key, sql in _objects(catalog))


def _whole(catalog: Catalog, name: str) -> str:
    """A table with its columns, where all of it is missing or unexpected."""
    table = next(table for table in catalog.tables if sql_name(table.name) == name)
    columns = ", ".join(f"{sql_name(column.name)} {column.sql}".rstrip() for column in table.columns)
    return " ".join(filter(None, (table.kind, f"({columns})", table.options)))


def _common_order(one: str | None, other: str | None) -> tuple[str | None, str | None]:
    """The columns that both have, in the order of each: a column more or less is told of as such."""
    if one is None or other is None:
        return None, None
    first, second = one.split(", "), other.split(", ")
    return (
        ", ".join(name for name in first if name in second),
        ", ".join(name for name in second if name in first),
    )


def _objects(catalog: Catalog) -> Iterator[tuple[_Key, str]]:
    seen: dict[_Key, int] = {}
    for key, sql in _named(catalog):
        # Only what has no name of its own can be there twice.
        count = seen[key] = seen.get(key, 0) + 1
        yield (key if count == 1 else _Key(key.kind, f"{key.name} #{count}", key.owner)), sql


def _named(catalog: Catalog) -> Iterator[tuple[_Key, str]]:
    for table in catalog.tables:
        yield _Key("table", sql_name(table.name)), " ".join(filter(None, (table.kind, table.options)))
        yield from _parts(table)
    for view in catalog.views:
        yield _Key("materialized view" if view.materialized else "view", sql_name(view.name)), _view(view)
    for index in catalog.indexes:
        yield _on("index", index.name, index.table), index.sql
    for trigger in catalog.triggers:
        yield _on("trigger", trigger.name, trigger.table), trigger.sql
    for enum in catalog.enums:
        yield _Key("type", sql_name(enum.name)), enum.sql
    for domain in catalog.domains:
        yield _Key("domain", sql_name(domain.name)), domain.sql
    for other in catalog.others:
        yield (_on(other.kind, other.name, other.table) if other.table else _Key(other.kind, other.name)), other.sql


def _parts(table: Table) -> Iterator[tuple[_Key, str]]:
    owner = sql_name(table.name)
    for column in table.columns:
        yield _Key("column", f"{owner}.{sql_name(column.name)}", owner), column.sql
    yield _Key(COLUMN_ORDER, f"of {owner}", owner), ", ".join(sql_name(column.name) for column in table.columns)
    if table.primary_key:
        named = f"CONSTRAINT {sql_name(table.primary_key.name)} " if table.primary_key.name else ""
        yield _Key("primary key", f"of {owner}", owner), named + table.primary_key.sql
    for unique in sorted(table.uniques, key=_order):
        yield _on("unique constraint", unique.name or listed(unique.columns), table.name, unique.name), unique.sql
    for key in sorted(table.foreign_keys, key=_order):
        yield _on("foreign key", key.name or listed(key.columns), table.name, key.name), key.sql
    for check in sorted(table.checks, key=lambda check: (check.name or "", check.sql)):
        yield _on("check", check.name or f"({check.expression})", table.name, check.name), check.sql


def _order(part: Unique | ForeignKey) -> tuple[str, str]:
    return part.name or "", part.sql


def _on(kind: str, name: str, table: str, sql: str | None = "") -> _Key:
    """``sql`` None: the name is made up from what the object has none of, and is shown as it is."""
    shown = name if sql is None else sql_name(name)
    return _Key(kind, f"{shown} on {sql_name(table)}", sql_name(table))


def _view(view: View) -> str:
    return " ".join(filter(None, (listed(view.columns), view.options, "AS", view.query)))
