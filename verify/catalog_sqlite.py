"""SQLite's catalog: the main database; virtual tables, their shadows and attached databases are left out."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

from verify.catalog import Catalog, ForeignKey, Table, is_ignored
from verify.quoting import quote_identifier
from verify.reader import Reader

# A virtual table is not asked for its columns: its module need not be loaded.
_TABLES = "m.type = 'table' AND m.name NOT LIKE 'sqlite\\_%' ESCAPE '\\' AND m.sql NOT LIKE 'CREATE VIRTUAL%'"

_COLUMNS = f"""
SELECT m.name, i.name, i.pk, i.type, i.hidden FROM main.sqlite_master AS m JOIN pragma_table_xinfo(m.name, 'main') AS i
WHERE {_TABLES} ORDER BY m.name, i.cid
"""

_PERHAPS_WITHOUT_ROWID = f"""
SELECT m.name FROM main.sqlite_master AS m WHERE {_TABLES} AND m.sql LIKE '%WITHOUT%ROWID%'
"""

_FOREIGN_KEYS = f"""
SELECT m.name, f.id, f."table", f."from", f."to"
FROM main.sqlite_master AS m JOIN pragma_foreign_key_list(m.name, 'main') AS f
WHERE {_TABLES} ORDER BY m.name, f.id, f.seq
"""

_UNIQUE = f"""
SELECT m.name, l.name, i.name, i.coll, l.origin FROM main.sqlite_master AS m
JOIN pragma_index_list(m.name, 'main') AS l JOIN pragma_index_xinfo(l.name, 'main') AS i
WHERE {_TABLES} AND l."unique" AND NOT l.partial AND i.key
"""

_CHECKED = f"SELECT m.name FROM main.sqlite_master AS m WHERE {_TABLES} AND m.sql LIKE '%check%'"

# From this size on it pays to know how large each table is, and to share the work.
LARGE_BYTES = 32 * 1024 * 1024

_ADDRESSES = ("rowid", "_rowid_", "oid")


def read_catalog(reader: Reader, ignore: Collection[str]) -> Catalog:
    """The tables, keys and foreign keys of the main database, tables named by ``ignore`` left out."""
    columns: dict[str, list[str]] = defaultdict(list)
    keys: dict[str, list[tuple[int, str]]] = defaultdict(list)
    types: dict[str, dict[str, str]] = defaultdict(dict)
    for table, column, place, declared, hidden in reader.query(_COLUMNS):
        columns[table].append(column)
        if not hidden:  # what is generated need not have the form that its type says
            types[table][column.lower()] = _affinity(declared)
        if place:
            keys[table].append((place, column))
    relations = {name: frozenset(names) for name, names in columns.items()} | _views(reader)
    left_out = _shadows(reader, columns)
    perhaps = {name for (name,) in reader.query(_PERHAPS_WITHOUT_ROWID)}
    indexed = reader.query(_UNIQUE)
    keys_with_index = {table for table, _, _, _, origin in indexed if origin == "pk"}
    tables = []
    for name, names in columns.items():
        if name in left_out or is_ignored(name, ignore):
            continue
        taken = {column.lower() for column in names}
        address = next((one for one in _ADDRESSES if one not in taken), None)
        key = tuple(column for _, column in sorted(keys[name]))
        if address and name in perhaps and not _answers(reader, name, address):
            address = None
        # Any other key has an index of its own; DESC makes one of INTEGER PRIMARY KEY, too.
        key_is_rowid = bool(address and key) and name not in keys_with_index
        tables.append(Table(name, "main", "sqlite", tuple(names), key, address, key_is_rowid=key_is_rowid))
    size = file_bytes(reader)
    return Catalog(
        "sqlite",
        "main",
        tuple(tables),
        _foreign_keys(reader, tables, relations, types, indexed),
        relations,
        rows=_rows(reader, tables) if size >= LARGE_BYTES else {},
        checked=frozenset(name for (name,) in reader.query(_CHECKED)),
        bytes=size,
    )


def _rows(reader: Reader, tables: Collection[Table]) -> dict[str, int]:
    """About how many rows each table has, in no time: its highest rowid. A table that has none is left out."""
    rows = {}
    for table in tables:
        if table.address is not None:
            with suppress(reader.errors):  # a damaged file
                ((rows[table.name],),) = reader.query(f"SELECT coalesce(max({table.address}), 0) FROM {table.sql}")
    return rows


def _affinity(declared: str) -> str:
    """The affinity of a column of that type where all its values have one form in it: TEXT, INTEGER; else nothing."""
    folded = declared.upper()
    if "INT" in folded:
        return "INTEGER"
    return "TEXT" if any(word in folded for word in ("CHAR", "CLOB", "TEXT")) else ""


def _views(reader: Reader) -> dict[str, frozenset[str]]:
    """Views with their columns; one that does not compile has none."""
    views = {}
    for (name,) in reader.query("SELECT name FROM main.sqlite_master WHERE type = 'view'"):
        try:
            rows = reader.query(f"PRAGMA main.table_xinfo({quote_identifier(name)})")
        except reader.errors:
            rows = []
        views[name] = frozenset(row[1] for row in rows)
    return views


def _shadows(reader: Reader, names: Collection[str]) -> set[str]:
    """The tables in which a virtual table keeps its own data: ``docs_content`` of ``docs``."""
    virtual = [
        name
        for (name,) in reader.query(
            "SELECT name FROM main.sqlite_master WHERE type = 'table' AND sql LIKE 'CREATE VIRTUAL%'"
        )
    ]
    if not virtual:
        return set()
    try:
        rows = reader.query("SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'shadow'")
    except reader.errors:  # before 3.37 nobody says; the name must do
        return {name for name in names if any(name.startswith(f"{owner}_") for owner in virtual)}
    return {name for (name,) in rows}


def _answers(reader: Reader, name: str, address: str) -> bool:
    """Whether the table has a rowid: to ask for it is the one sure way in every version of SQLite."""
    try:
        reader.query(f"SELECT {address} FROM main.{quote_identifier(name)} LIMIT 0")
    except reader.errors:
        return False
    return True


def _foreign_keys(
    reader: Reader,
    tables: Collection[Table],
    relations: Collection[str],
    types: Mapping[str, Mapping[str, str]],
    indexed: Sequence[tuple[Any, ...]],
) -> tuple[ForeignKey, ...]:
    by_name = {table.name.lower(): table for table in tables}
    views = {name.lower() for name in relations} - set(by_name)
    unique: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    folding: dict[str, set[str]] = defaultdict(set)
    for table, index, column, collation, _ in indexed:
        unique[table][index].add((column or "").lower())  # an expression has no name and matches nothing
        if collation.upper() != "BINARY":
            folding[table].add((column or "").lower())
    grouped: dict[tuple[str, int], list[tuple[str, str, str | None]]] = defaultdict(list)
    for child, number, parent, column, parent_column in reader.query(_FOREIGN_KEYS):
        if child.lower() in by_name:
            grouped[child, number].append((parent, column, parent_column))
    keys = []
    for (child, number), parts in grouped.items():
        parent_name = parts[0][0]
        parent = by_name.get(parent_name.lower())
        columns = tuple(column for _, column, _ in parts)
        named = tuple(column for _, _, column in parts if column is not None)
        problem = None
        if parent is None:
            wrong = "is a view or a virtual table" if parent_name.lower() in views else "is not there"
            problem = f'it refers to "{parent_name}", which {wrong}'
        else:
            # REFERENCES parent, without columns, means the parent's primary key.
            named = named or parent.key
            problem = _mismatch(parent, columns, named, unique[parent.name])
        same_form = parent is not None and all(
            types[child].get(column.lower(), "") == types[parent.name].get(name.lower()) != ""
            and name.lower() not in folding[parent.name]
            for column, name in zip(columns, named, strict=False)
        )
        keys.append(
            ForeignKey(
                child,
                columns,
                parent.name if parent else parent_name,
                named,
                "main",
                number,
                same_form=same_form,
                problem=problem,
            )
        )
    return _as_sqlite_sees_them(reader, keys)


def _mismatch(
    parent: Table, columns: tuple[str, ...], named: tuple[str, ...], unique: dict[str, set[str]]
) -> str | None:
    """Why SQLite would answer "foreign key mismatch", as far as the catalog tells."""
    there = {column.lower() for column in parent.columns}
    absent = [column for column in named if column.lower() not in there]
    if absent:
        return f'it refers to column "{absent[0]}", which "{parent.name}" does not have'
    if not named:
        return f'it refers to the primary key of "{parent.name}", which has none'
    if len(named) != len(columns):
        return f'it has {len(columns)} columns, the key of "{parent.name}" has {len(named)}'
    wanted = {column.lower() for column in named}
    if wanted == {column.lower() for column in parent.key} or wanted in unique.values():
        return None
    return f'"{parent.name}" has no primary key or unique index on ({", ".join(named)})'


def _as_sqlite_sees_them(reader: Reader, keys: list[ForeignKey]) -> tuple[ForeignKey, ...]:
    """The keys, with those that SQLite itself calls mismatched marked so (a collation may differ, for instance)."""
    refused = {}
    for child in {key.child for key in keys if key.problem is None}:
        if any(key.problem for key in keys if key.child == child):
            continue  # it would name that one, which is known
        try:
            # EXPLAIN compiles the check without running it; the mismatch is found on the way.
            reader.query(f"EXPLAIN PRAGMA main.foreign_key_check({quote_identifier(child)})")
        except reader.errors as error:
            refused[child] = str(error)
    return tuple(
        replace(key, problem=f"SQLite says: {refused[key.child]}")
        if key.problem is None and f'referencing "{key.parent}"' in refused.get(key.child, "")
        else key
        for key in keys
    )


def file_bytes(reader: Reader) -> int:
    """How large the main database is."""
    ((size,),) = reader.query("SELECT page_count * page_size FROM pragma_page_count('main'), pragma_page_size('main')")
    return int(size)
