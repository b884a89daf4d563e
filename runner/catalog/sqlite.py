"""SQLite's catalog: the pragmas, and of the SQL that it keeps what they do not tell."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from runner.catalog import sqlite_text as texts
from runner.catalog.model import (
    Catalog,
    Check,
    Column,
    ForeignKey,
    Index,
    Table,
    Trigger,
    Unique,
    View,
    is_bookkeeping,
)
from runner.catalog.sqlite_pieces import default_text, joined, one_form, pieces
from runner.catalog.sqlite_table import TableText, read_table
from runner.domain.quoting import quote_name

_VIRTUAL = "m.sql LIKE 'CREATE VIRTUAL%'"  # not asked for its columns: its module need not be loaded
_OBJECTS = "SELECT type, name, tbl_name, sql FROM main.sqlite_master WHERE name NOT LIKE 'sqlite\\_%' ESCAPE '\\'"
_COLUMNS = f"""
SELECT m.name, c.name, c.type, c."notnull", c.dflt_value, c.pk
FROM main.sqlite_master AS m JOIN pragma_table_xinfo(m.name) AS c
WHERE m.type = 'table' AND NOT ({_VIRTUAL}) ORDER BY m.name, c.cid
"""
_FOREIGN_KEYS = f"""
SELECT m.name, f.id, f."table", f."from", f."to", f.on_update, f.on_delete
FROM main.sqlite_master AS m JOIN pragma_foreign_key_list(m.name) AS f
WHERE m.type = 'table' AND NOT ({_VIRTUAL}) ORDER BY m.name, f.id, f.seq
"""
_UNIQUES = f"""
SELECT m.name, l.name, i.name FROM main.sqlite_master AS m
JOIN pragma_index_list(m.name) AS l JOIN pragma_index_info(l.name) AS i
WHERE m.type = 'table' AND NOT ({_VIRTUAL}) AND l.origin = 'u' ORDER BY m.name, l.name, i.seqno
"""

_Rows = list[tuple[Any, ...]]


def read(connection: Any) -> Catalog:
    """The main database."""
    objects: list[tuple[str, str, str, str]] = connection.execute(_OBJECTS).fetchall()
    objects = [row for row in objects if not is_bookkeeping(row[2])]
    tables = {name: sql for kind, name, _, sql in objects if kind == "table"}
    for shadow in _shadows(connection, tables):
        del tables[shadow]
    columns, keys, uniques = (_grouped(_rows(connection, sql)) for sql in (_COLUMNS, _FOREIGN_KEYS, _UNIQUES))
    primary = {table: _primary_key(rows) for table, rows in columns.items()}
    names = {name.lower(): name for name in tables}
    found = []
    for name, sql in tables.items():
        if sql.upper().startswith("CREATE VIRTUAL"):
            found.append(Table(name, (), kind="virtual table", options=_after_using(sql)))
            continue
        text = read_table(sql)
        checks = [Check(expression, check) for check, expression in text.checks]
        found.append(
            Table(
                name,
                _columns(columns[name], text),
                _primary(primary[name], text),
                _uniques(uniques[name], text),
                _foreign_keys(keys[name], text, primary, names),
                tuple(sorted(checks, key=lambda check: (check.name or "", check.sql))),
                options=text.options,
            )
        )
    spelt = {name: {column[0].lower(): column[0] for column in rows} for name, rows in columns.items()}

    def of_kind(kind: str) -> list[tuple[str, str, str]]:
        """Name, table (as that spells itself) and SQL of each."""
        return [(name, names.get(table.lower(), table), sql) for type_, name, table, sql in objects if type_ == kind]

    return Catalog(
        "sqlite",
        tables=_by_name(found),
        indexes=_by_name([_index(name, table, sql, spelt.get(table, {})) for name, table, sql in of_kind("index")]),
        triggers=_by_name([_trigger(*trigger) for trigger in of_kind("trigger")]),
        views=_by_name([_view(connection, name, sql) for name, _, sql in of_kind("view")]),
    )


def _rows(connection: Any, sql: str) -> _Rows:
    rows: _Rows = connection.execute(sql).fetchall()
    return rows


def _grouped(rows: _Rows) -> Mapping[str, _Rows]:
    """The rows of each table, without its name."""
    groups: dict[str, _Rows] = defaultdict(list)
    for table, *rest in rows:
        groups[table].append(tuple(rest))
    return groups


def _by_name(items: list[Any]) -> tuple[Any, ...]:
    return tuple(sorted(items, key=lambda item: item.name))


def _shadows(connection: Any, tables: Mapping[str, str]) -> set[str]:
    """The tables in which a virtual table keeps its own data."""
    virtual = [name for name, sql in tables.items() if sql.upper().startswith("CREATE VIRTUAL")]
    if not virtual:
        return set()
    try:
        rows = _rows(connection, "SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'shadow'")
    except connection.OperationalError:  # before 3.37 nobody says; the name must do
        return {name for name in tables if any(name.startswith(f"{owner}_") for owner in virtual)}
    return {name for (name,) in rows} & tables.keys()


def _after_using(sql: str) -> str:
    items = pieces(sql)
    at = next(number for number, piece in enumerate(items) if piece.word and piece.text == "using")
    return joined(items[at:])


def _primary_key(columns: _Rows) -> tuple[str, ...]:
    return tuple(name for _, name in sorted((pk, name) for name, _, _, _, pk in columns if pk))


def _columns(rows: _Rows, text: TableText) -> tuple[Column, ...]:
    key = _primary_key(rows)
    columns = []
    for name, declared, not_null, default, pk in rows:
        lower = name.lower()
        type_ = one_form(declared).upper()
        rowid = pk and len(key) == 1 and type_ == "INTEGER" and not text.descending_key
        columns.append(
            Column(
                name,
                type_,
                # An alias of the rowid is never NULL, whether it says so or not.
                nullable=not (not_null or (rowid and "WITHOUT ROWID" not in text.options)),
                default=default_text(default),
                generated=text.generated.get(lower),
                identity="AUTOINCREMENT" if pk and text.autoincrement else None,
                collation=text.collations.get(lower),
                not_null_conflict=text.not_null_conflicts.get(lower),
            )
        )
    return tuple(columns)


def _primary(columns: tuple[str, ...], text: TableText) -> Unique | None:
    name, options = text.primary_key
    return Unique(columns, name, primary=True, options=options) if columns else None


def _uniques(rows: _Rows, text: TableText) -> tuple[Unique, ...]:
    by_index: dict[str, list[str]] = defaultdict(list)
    for index, column in rows:
        by_index[index].append(column)
    uniques = []
    for columns in by_index.values():
        name, options = text.uniques.get(tuple(column.lower() for column in columns), (None, ""))
        uniques.append(Unique(tuple(columns), name, options=options))
    return tuple(sorted(uniques, key=lambda unique: (unique.name or "", unique.columns)))


def _foreign_keys(
    rows: _Rows, text: TableText, primary: Mapping[str, tuple[str, ...]], names: Mapping[str, str]
) -> tuple[ForeignKey, ...]:
    grouped: dict[int, _Rows] = defaultdict(list)
    for number, *rest in rows:
        grouped[number].append(tuple(rest))
    told = list(text.foreign_keys)
    keys = []
    for parts in grouped.values():
        parent = names.get(parts[0][0].lower(), parts[0][0])
        columns = tuple(column for _, column, *_ in parts)
        named = tuple(column for _, _, column, *_ in parts if column is not None)
        name, options = _told(told, tuple(column.lower() for column in columns), parent.lower())
        keys.append(
            ForeignKey(
                columns,
                parent,
                named or primary.get(parent, ()),  # without columns it means the parent's primary key
                name,
                on_update=parts[0][3],
                on_delete=parts[0][4],
                options=options,
            )
        )
    return tuple(sorted(keys, key=lambda key: (key.name or "", key.columns, key.parent, key.sql)))


def _told(
    told: list[tuple[tuple[str, ...], str, str | None, str]], columns: tuple[str, ...], parent: str
) -> tuple[str | None, str]:
    """Name and options of a foreign key, by its columns and its parent; each is used once."""
    for one in told:
        if one[:2] == (columns, parent):
            told.remove(one)
            return one[2], one[3]
    return None, ""


def _index(name: str, table: str, sql: str, spelt: Mapping[str, str]) -> Index:
    """``spelt``: the names of the table's columns, by themselves in lower case."""
    text = texts.read_index(sql)
    keys = tuple(spelt.get(key, key) for key in text.keys)
    return Index(name, table, keys, unique=text.unique, predicate=text.predicate)


def _trigger(name: str, table: str, sql: str) -> Trigger:
    text = texts.read_trigger(sql)
    return Trigger(name, table, text.timing, text.events, "ROW", f"BEGIN {text.body} END", condition=text.condition)


def _view(connection: Any, name: str, sql: str) -> View:
    try:
        rows = _rows(connection, f"PRAGMA main.table_xinfo({quote_name(name)})")
    except connection.OperationalError:
        rows = []  # what it needs is gone
    return View(name, tuple(row[1] for row in rows), texts.read_view(sql))
