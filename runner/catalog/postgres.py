"""PostgreSQL's catalog of the current schema, in a few queries over all of it.

Expressions are given as the server deparses them, so that what means the same is written the same. The search_path is
the schema alone meanwhile: what stands in it is then written without its name, whoever connects.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from typing import Any

from runner.catalog import postgres_sql as queries
from runner.catalog.model import (
    Catalog,
    Check,
    Column,
    Domain,
    Enum,
    ForeignKey,
    Index,
    Other,
    Table,
    Trigger,
    Unique,
    View,
    is_bookkeeping,
)

_ACTIONS = {"a": "NO ACTION", "r": "RESTRICT", "c": "CASCADE", "n": "SET NULL", "d": "SET DEFAULT"}
_ENABLED = {"O": "enabled", "D": "disabled", "R": "replica only", "A": "always"}
_IDENTITY = {"a": "ALWAYS", "d": "BY DEFAULT"}
_GENERATED = {"s": "STORED", "v": "VIRTUAL"}

_Rows = list[tuple[Any, ...]]


def read(connection: Any) -> Catalog:
    """The current schema. What belongs to an extension is left out."""
    with closing(connection.cursor()) as cursor, _in_schema_alone(cursor):

        def rows(sql: str) -> _Rows:
            cursor.execute(sql)
            found: _Rows = cursor.fetchall()
            return found

        columns = _grouped(rows(queries.COLUMNS))
        constraints = _grouped(rows(queries.CONSTRAINTS))
        relations = [row for row in rows(queries.RELATIONS) if not is_bookkeeping(row[0])]
        return Catalog(
            "postgres",
            tables=tuple(
                _table(row, columns[row[0]], constraints[row[0]]) for row in relations if row[1] in ("r", "p", "f")
            ),
            indexes=tuple(_index(row) for row in rows(queries.INDEXES) if not is_bookkeeping(row[1])),
            triggers=tuple(_trigger(row) for row in rows(queries.TRIGGERS) if not is_bookkeeping(row[1])),
            views=tuple(_view(row, columns[row[0]]) for row in relations if row[1] in ("v", "m")),
            enums=tuple(Enum(name, tuple(labels)) for name, labels in rows(queries.ENUMS)),
            domains=tuple(_domains(rows(queries.DOMAINS))),
            others=tuple(_others(rows(queries.others(connection.server_version)), constraints)),
        )


@contextmanager
def _in_schema_alone(cursor: Any) -> Iterator[None]:
    cursor.execute("SELECT current_setting('search_path'), quote_ident(current_schema())")
    path, schema = cursor.fetchone()
    cursor.execute("SELECT set_config('search_path', %s, false)", (schema or "",))
    try:
        yield
    finally:
        cursor.execute("SELECT set_config('search_path', %s, false)", (path,))


def _grouped(rows: _Rows) -> Mapping[str, _Rows]:
    """The rows of each relation, without its name."""
    groups: dict[str, _Rows] = defaultdict(list)
    for relation, *rest in rows:
        groups[relation].append(tuple(rest))
    return groups


def _table(relation: tuple[Any, ...], columns: _Rows, constraints: _Rows) -> Table:
    name, kind, options, partition, *_ = relation
    uniques = sorted((_unique(row) for row in constraints if row[0] in "pu"), key=lambda one: one.name or "")
    return Table(
        name,
        tuple(_column(row) for row in columns),
        next((unique for unique in uniques if unique.primary), None),
        tuple(unique for unique in uniques if not unique.primary),
        tuple(_foreign_key(row) for row in constraints if row[0] == "f"),
        tuple(_check(row) for row in constraints if row[0] in "cn"),
        kind="foreign table" if kind == "f" else "table",
        options=options,
        partition=partition,
    )


def _column(row: tuple[Any, ...]) -> Column:
    name, type_, not_null, default, generated, identity, collation = row
    return Column(
        name,
        type_,
        nullable=not not_null,
        default=None if generated or default is None or default.startswith("NULL::") else default,
        generated=f"{_GENERATED[generated]} ({default})" if generated else None,
        identity=_IDENTITY.get(identity),
        collation=collation,
    )


def _unique(row: tuple[Any, ...]) -> Unique:
    kind, name, columns, definition, *_ = row
    # What stands behind the columns; the columns themselves hold no parenthesis unless they are quoted.
    listed = definition.partition("(")[2]
    options = _after_list(listed)
    if "NULLS NOT DISTINCT" in definition.partition("(")[0]:
        options = f"NULLS NOT DISTINCT {options}".strip()
    return Unique(tuple(columns), name, primary=kind == "p", options=options)


def _after_list(text: str) -> str:
    """What stands behind the parenthesis that closes a list; quoted names may hold one."""
    quoted = False
    for number, character in enumerate(text):
        if character == '"':
            quoted = not quoted
        elif character == ")" and not quoted:
            return text[number + 1 :].strip()
    return ""


def _foreign_key(row: tuple[Any, ...]) -> ForeignKey:
    _, name, columns, _, parent, parent_columns, on_update, on_delete, options, validated, enabled, _ = row
    return ForeignKey(
        tuple(columns),
        parent,
        tuple(parent_columns),
        name,
        on_delete=_ACTIONS[on_delete],
        on_update=_ACTIONS[on_update],
        options=options,
        validated=validated,
        enabled=enabled,
    )


def _check(row: tuple[Any, ...]) -> Check:
    """A check; or a NOT NULL that was never validated (PostgreSQL 18), which the column alone does not show."""
    kind, name, _, definition, *_, validated, _, expression = row
    if kind == "n":
        return Check(definition, name, "NOT VALID")
    tail = definition.rpartition(")")[2].strip()
    return Check(expression, name, tail if validated or "NOT VALID" in tail else f"{tail} NOT VALID".strip())


def _index(row: tuple[Any, ...]) -> Index:
    name, table, method, unique, keys, predicate, options, valid = row
    return Index(
        name, table, tuple(keys), unique=unique, predicate=predicate, method=method, options=options, valid=valid
    )


def _trigger(row: tuple[Any, ...]) -> Trigger:
    name, table, kind, columns, definition, enabled, options = row
    events = [word for bit, word in ((4, "INSERT"), (8, "DELETE"), (16, "UPDATE"), (32, "TRUNCATE")) if kind & bit]
    if columns:
        events[events.index("UPDATE")] = f"UPDATE OF {', '.join(sorted(columns))}"
    head, _, call = definition.rpartition(" EXECUTE FUNCTION ")
    _, _, condition = head.partition(" WHEN (")
    return Trigger(
        name,
        table,
        "BEFORE" if kind & 2 else "INSTEAD OF" if kind & 64 else "AFTER",
        tuple(sorted(events)),
        "ROW" if kind & 1 else "STATEMENT",
        f"EXECUTE FUNCTION {call}",
        condition=condition.removesuffix(")") or None,
        options=options,
        enabled=_ENABLED[enabled],
    )


def _view(relation: tuple[Any, ...], columns: _Rows) -> View:
    name, kind, options, _, query = relation
    return View(
        name,
        tuple(column[0] for column in columns),
        query.strip().rstrip(";"),
        materialized=kind == "m",
        options=options,
    )


def _domains(rows: _Rows) -> Iterator[Domain]:
    for name, base, not_null, default, names, checks in rows:
        yield Domain(
            name,
            base,
            nullable=not not_null,
            default=default,
            checks=tuple(Check(sql, check) for check, sql in zip(names, checks, strict=True)),
        )


def _others(rows: _Rows, constraints: Mapping[str, _Rows]) -> list[Other]:
    found = [Other(kind, name, sql, table) for kind, name, table, sql in rows]
    for table, parts in constraints.items():
        found += [Other("exclusion constraint", row[1], row[3], table) for row in parts if row[0] == "x"]
    ours = [other for other in found if not is_bookkeeping(other.table or other.name)]
    return sorted(ours, key=lambda other: (other.kind, other.name, other.table or ""))
