"""What only several rows together show: keys that are there twice, and rows that refer to nothing."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing

from runner.domain.quoting import quote_name
from runner.transfer.expressions import NULL_SQL, canonical
from runner.transfer.findings import Findings
from runner.transfer.judging import INTEGERS
from runner.transfer.model import Map, Value
from runner.transfer.source import Plan, Source
from runner.transfer.target import ForeignKey, Key, TargetColumn

#: Types whose values are equal on PostgreSQL exactly where their texts are.
_BY_TEXT = frozenset({"text", "varchar", "enum", "bytea"}) | INTEGERS.keys()


def look_at_relations(source: Source, plans: Sequence[Plan], mapping: Map, findings: Findings) -> None:
    """Note double keys and orphans of every foreign key, as they will be after the map.

    A row that is set aside may orphan others: it is gone through until nothing changes.
    """
    by_name = {plan.name: plan for plan in plans}
    for plan in plans:
        for key in plan.target.keys:
            _doubles(source, plan, key, mapping, findings)
    while True:
        before = sum(len(plan.excluded) + sum(map(len, plan.nulled.values())) for plan in plans)
        open_keys = findings.unsettled
        for plan in plans:
            for foreign in plan.target.foreign_keys:
                if foreign.parent in by_name:
                    _orphans(source, plan, foreign, by_name[foreign.parent], mapping, findings)
        after = sum(len(plan.excluded) + sum(map(len, plan.nulled.values())) for plan in plans)
        if after == before or findings.unsettled > open_keys:
            return


def orphan_names(plans: Sequence[Plan]) -> frozenset[str]:
    """The checks of ``verify`` that look for the orphans of the tables' foreign keys."""
    return frozenset(
        f"orphan:{plan.name}({','.join(key.columns)})->{key.parent}"
        for plan in plans
        for key in plan.target.foreign_keys
    )


def _comparable(column: TargetColumn, value: str) -> str:
    """A value in the form in which the target's equality is that of the source's bytes."""
    if column.type in _BY_TEXT:
        return f"{value} COLLATE BINARY"
    return f"nullif({canonical(column, value)}, {NULL_SQL})"


def _doubles(source: Source, plan: Plan, key: Key, mapping: Map, findings: Findings) -> None:
    columns = {column.name: column for column, _ in plan.columns}
    if not set(key.columns) <= columns.keys() or _is_unique_already(source, plan, key):
        return
    terms = [_comparable(columns[name], plan.values[name]) for name in key.columns]
    given = " AND ".join(f"{term} IS NOT NULL" for term in terms) if not key.nulls_equal else "1"
    condition = source.keep_out(plan)
    parts = ", ".join(f"{term} AS k{number}" for number, term in enumerate(terms))
    names = ", ".join(f"k{number}" for number in range(len(terms)))
    groups = f"SELECT {parts} FROM {plan.source.sql} AS t WHERE {given} AND {condition}"
    double = f"SELECT {names} FROM ({groups}) GROUP BY {names} HAVING count(*) > 1"
    if not source.rows(f"{double} LIMIT 1"):
        return
    same = " AND ".join(f"{term} IS d.k{number}" for number, term in enumerate(terms))
    shown = ", ".join(plan.raw[name] for name in key.columns)
    raw = ", ".join(plan.raw[column.name] for column, _ in plan.columns)
    sql = (
        f"SELECT {plan.place()}, {plan.source.row_key('t')}, {names}, {shown}, {raw}"
        f" FROM ({double}) AS d JOIN {plan.source.sql} AS t ON {same} WHERE {condition} ORDER BY {names}, 1"
    )
    where = ", ".join(key.columns)
    action = mapping.action("duplicate-key", plan.name, key.columns[0])
    last: object = None
    surplus: list[tuple[Value, str, Sequence[Value]]] = []
    with closing(source.connection.execute(sql)) as cursor:
        for place_of, key_text, *rest in cursor:
            group, values = tuple(rest[: len(terms)]), rest[len(terms) * 2 :]
            if group == last:  # the first of each stays
                text = bytes(key_text).decode("utf-8", "replace")
                findings.add("duplicate-key", plan.name, where, text, rest[len(terms)], action=action)
                if action:
                    surplus.append((_plain(place_of), text, values))
            last = group
    for place_of, text, values in surplus:
        plan.excluded.add(place_of)
        findings.set_aside(plan.name, text, plan.row(values))


def _is_unique_already(source: Source, plan: Plan, key: Key) -> bool:
    """Does the source itself keep these columns unique, byte for byte?"""
    columns = {column.name: (column, name) for column, name in plan.columns}
    if any(columns[name][0].type not in _BY_TEXT or plan.values[name] != plan.raw[name] for name in key.columns):
        return False
    if key.nulls_equal:
        return False
    wanted = {columns[name][1].lower() for name in key.columns}
    if plan.source.address and len(wanted) == 1 and set(map(str.lower, plan.source.key)) == wanted:
        ((only,),) = source.rows(
            "SELECT count(*) FROM pragma_table_info(?1) WHERE pk AND upper(type) = 'INTEGER'", (plan.source.name,)
        )
        if only:
            return True  # it is the rowid
    indexes: dict[str, list[tuple[str, str]]] = {}
    for index, column, collation in source.rows(
        "SELECT l.name, x.name, x.coll FROM pragma_index_list(?1) AS l JOIN pragma_index_xinfo(l.name) AS x"
        ' WHERE l."unique" AND NOT l.partial AND x.key',
        (plan.source.name,),  # a name that is UTF-8, being that of a table of the target
    ):
        name = bytes(column or b"").decode().lower()
        indexes.setdefault(bytes(index).decode(), []).append((name, bytes(collation or b"").decode()))
    return any(
        {column for column, _ in parts} == wanted and all(collation == "BINARY" for _, collation in parts)
        for parts in indexes.values()
    )


def _orphans(source: Source, plan: Plan, foreign: ForeignKey, parent: Plan, mapping: Map, findings: Findings) -> None:
    mine = {column.name: column for column, _ in plan.columns}
    theirs = {column.name: column for column, _ in parent.columns}
    if not (set(foreign.columns) <= mine.keys() and set(foreign.parent_columns) <= theirs.keys()):
        return
    terms = [_comparable(mine[name], plan.values[name]) for name in foreign.columns]
    if all(
        theirs[name].type in _BY_TEXT and parent.values[name] == parent.raw[name] for name in foreign.parent_columns
    ):
        # Its own columns, so that SQLite can look them up in an index.
        names = {column.name: name for column, name in parent.columns}
        same = " AND ".join(
            f"p.{quote_name(names[name])} COLLATE BINARY = {term}"
            for name, term in zip(foreign.parent_columns, terms, strict=True)
        )
        kept = source.keep_out(parent, "p")
        there = f"EXISTS (SELECT 1 FROM {parent.source.sql} AS p WHERE {same} AND {kept})"
    else:
        keys = ", ".join(_comparable(theirs[name], parent.values[name]) for name in foreign.parent_columns)
        inside = f"SELECT {keys} FROM {parent.source.sql} AS t WHERE {source.keep_out(parent)}"
        there = f"({', '.join(terms)}) IN ({inside})"
    filled = [f"{term} IS NOT NULL" for term in terms]
    given = f"({' OR '.join(filled)})" if foreign.match_full else " AND ".join(filled)
    raw = ", ".join(plan.raw[column.name] for column, _ in plan.columns)
    shown = " || ', ' || ".join(f"ifnull(CAST({plan.raw[name]} AS TEXT), 'NULL')" for name in foreign.columns)
    sql = (
        f"SELECT {plan.place()}, {plan.source.row_key('t')}, {shown}, {raw} FROM {plan.source.sql} AS t"
        f" WHERE {given} AND {source.keep_out(plan)} AND NOT coalesce({there}, 0)"
    )
    column = foreign.columns[0]
    action = mapping.action("orphan", plan.name, column)
    if action == "null" and all(mine[name].not_null for name in foreign.columns):
        action = None
    found: list[tuple[Value, str, list[Value]]] = []
    with closing(source.connection.execute(sql)) as cursor:
        for place_of, key, value, *values in cursor:
            text = bytes(key).decode("utf-8", "replace")
            findings.add("orphan", plan.name, column, text, value, action=action, detail=foreign.shown)
            if action:
                found.append((_plain(place_of), text, values))
    for place_of, text, values in found:
        if action == "null":
            for name in foreign.columns:
                if not mine[name].not_null:
                    plan.nulled.setdefault(name, set()).add(place_of)
        else:
            plan.excluded.add(place_of)
            findings.set_aside(plan.name, text, plan.row(values))


def _plain(place: Value) -> Value:
    return bytes(place) if isinstance(place, bytes) else place
