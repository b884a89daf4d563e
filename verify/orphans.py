"""A check for each declared foreign key of the live catalog: rows whose parent is not there."""

from __future__ import annotations

from collections import Counter

from verify.catalog import Catalog, ForeignKey
from verify.model import Check
from verify.quoting import as_text, quote_identifier, quote_literal

# From so many rows on, sorting the keys pays.
MANY_ROWS = 10_000


def orphan_checks(catalog: Catalog) -> tuple[tuple[Check, ForeignKey], ...]:
    """Each foreign key with its check, named ``orphan:child(columns)->parent``; names are unique."""
    seen: Counter[str] = Counter()
    pairs = []
    for key in sorted(catalog.foreign_keys, key=lambda key: (key.child, key.columns, key.parent)):
        name = orphan_name(catalog, key)
        seen[name] += 1
        if seen[name] > 1:  # the same key declared twice
            name = f"{name}#{seen[name]}"
        summary = f"Each {', '.join(key.columns)} of {key.child} names a row of {key.parent}."
        sql = _broken_key_sql(key) if key.problem else _sql(catalog, key)
        pairs.append((Check(name, "orphan", "error", sql, summary=summary), key))
    return tuple(pairs)


def orphan_name(catalog: Catalog, key: ForeignKey) -> str:
    parent = key.parent if key.parent_schema == catalog.schema else f"{key.parent_schema}.{key.parent}"
    return f"orphan:{key.child}({','.join(key.columns)})->{parent}"


def _broken_key_sql(key: ForeignKey) -> str:
    columns = ", ".join(key.columns)
    detail = f"the foreign key on ({columns}) cannot be checked: {key.problem}"
    return (
        f"SELECT {quote_literal(key.child)} AS table_name, {quote_literal(f'({columns})')} AS row_key,\n"
        f"       {quote_literal(detail)} AS detail"
    )


def _sql(catalog: Catalog, key: ForeignKey) -> str:
    rows = catalog.rows.get(key.child, 0)
    worth = rows >= MANY_ROWS and rows >= catalog.rows.get(key.parent, 0) // 10  # not a large parent for a few children
    return _merge_sql(catalog, key) if worth and key.same_form else _orphan_sql(catalog, key)


def _merge_sql(catalog: Catalog, key: ForeignKey) -> str:
    """The keys that are in no parent by merging two sorted lists, mostly two indexes read in their order.

    A look into the parent's index for each row would jump about in it, which costs several times as much. Rows are
    read only if there are such keys.
    """
    child = catalog.by_name[key.child]
    columns = [f"c.{quote_identifier(column)}" for column in key.columns]
    binary = ", ".join(f"{column} COLLATE BINARY" for column in columns)
    places = range(1, len(columns) + 1)
    names = ", ".join(f"k{place}" for place in places)
    parents = ", ".join(f"p.{quote_identifier(column)}" for column in key.parent_columns)
    detail = _detail(catalog, key, columns)
    return (
        f"WITH lost ({names}) AS MATERIALIZED (\n"
        f"    SELECT {binary} FROM {child.sql} AS c\n"
        f"    WHERE {' AND '.join(f'{column} IS NOT NULL' for column in columns)}\n"
        f"    EXCEPT SELECT {parents} FROM {_parent(key)} AS p\n"
        f"    ORDER BY {', '.join(map(str, places))}\n"
        f")\n"
        f"SELECT {quote_literal(key.child)} AS table_name, {child.row_key('c')} AS row_key,\n"
        f"       {detail} AS detail\n"
        f"FROM {child.sql} AS c\n"
        f"WHERE EXISTS (SELECT 1 FROM lost) AND ({binary}) IN (SELECT {names} FROM lost)\n"
        f"ORDER BY c.{child.address}"
    )


def _orphan_sql(catalog: Catalog, key: ForeignKey) -> str:
    # NOT EXISTS, never NOT IN: one NULL among the parent's keys would make NOT IN find nothing, and PostgreSQL
    # runs it once for each row.
    child = catalog.by_name[key.child]
    columns = [f"c.{quote_identifier(column)}" for column in key.columns]
    not_null = [f"{column} IS NOT NULL" for column in columns]
    absent = f"NOT EXISTS (SELECT 1 FROM {_parent(key)} AS p WHERE {_same_key(catalog, key, columns)})"
    if key.match_full and len(columns) > 1:
        # MATCH FULL: all of them NULL, or none; a mixture is a violation by itself.
        where = f"({' OR '.join(not_null)})\n  AND ({absent} OR NOT ({' AND '.join(not_null)}))"
    else:
        # MATCH SIMPLE: one NULL among the columns and the key refers to nothing.
        where = f"{' AND '.join(not_null)}\n  AND {absent}"
    return (
        f"SELECT {quote_literal(key.child)} AS table_name, {child.row_key('c')} AS row_key,\n"
        f"       {_detail(catalog, key, columns)} AS detail\n"
        f"FROM {child.sql} AS c\n"
        f"WHERE {where}"
    )


def _parent(key: ForeignKey) -> str:
    return f"{quote_identifier(key.parent_schema)}.{quote_identifier(key.parent)}"


def _same_key(catalog: Catalog, key: ForeignKey, columns: list[str]) -> str:
    terms = []
    collations = key.collations or (None,) * len(columns)
    for parent_column, column, collation in zip(key.parent_columns, columns, collations, strict=True):
        if catalog.dialect == "sqlite":
            # The parent's column stands on the left, so that its collation counts; the plus sign takes the child's
            # affinity away, so that the parent's counts. Both are how SQLite itself compares a foreign key.
            column = f"+{column}"
        elif collation:
            column = f"{column} COLLATE {collation}"
        terms.append(f"p.{quote_identifier(parent_column)} = {column}")
    return " AND ".join(terms)


def _detail(catalog: Catalog, key: ForeignKey, columns: list[str]) -> str:
    """``manuscript_id m-9 is not in manuscripts``, as an expression."""
    parent = key.parent if key.parent_schema == catalog.schema else f"{key.parent_schema}.{key.parent}"
    parts: list[str] = []
    for name, column in zip(key.columns, columns, strict=True):
        value = as_text(column, catalog.dialect)
        if key.match_full:
            value = f"coalesce({value}, 'NULL')"
        parts += [quote_literal(f"{', ' if parts else ''}{name} "), value]
    return " || ".join([*parts, quote_literal(f" is not in {parent}")])
