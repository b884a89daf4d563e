"""The target's catalog: the tables of its current schema, with the columns, keys and sequences that a copy needs."""

from __future__ import annotations

from collections.abc import Collection
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from runner.domain.quoting import quote_name
from verify.catalog import BOOKKEEPING_TABLES, is_ignored

_COLUMNS = """
SELECT c.relname::text, c.relkind::text, a.attname::text, bt.typname::text, n.nspname::text, bt.typtype::text,
       CASE WHEN t.typtype = 'd' THEN t.typtypmod ELSE a.atttypmod END,
       a.attnotnull OR t.typnotnull, a.attgenerated <> '',
       pg_catalog.format_type(a.atttypid, a.atttypmod),
       coalesce((SELECT array_agg(e.enumlabel::text ORDER BY e.enumsortorder)
                 FROM pg_catalog.pg_enum AS e WHERE e.enumtypid = bt.oid), '{}')
FROM pg_catalog.pg_class AS c
JOIN pg_catalog.pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
JOIN pg_catalog.pg_type AS t ON t.oid = a.atttypid
JOIN pg_catalog.pg_type AS bt ON bt.oid = CASE WHEN t.typtype = 'd' THEN t.typbasetype ELSE t.oid END
JOIN pg_catalog.pg_namespace AS n ON n.oid = bt.typnamespace
WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
ORDER BY c.relname, a.attnum
"""

# Keys that equality of the columns decides: no expression, no predicate.
_KEYS = """
SELECT c.relname::text, i.indisprimary, coalesce((to_jsonb(i) ->> 'indnullsnotdistinct')::boolean, false),
       array_agg(a.attname::text ORDER BY k.place)
FROM pg_catalog.pg_index AS i
JOIN pg_catalog.pg_class AS c ON c.oid = i.indrelid
CROSS JOIN LATERAL unnest(i.indkey::int2[]) WITH ORDINALITY AS k(attnum, place)
JOIN pg_catalog.pg_attribute AS a ON a.attrelid = c.oid AND a.attnum = k.attnum
WHERE c.relnamespace = current_schema()::regnamespace AND i.indisunique AND NOT c.relispartition
  AND i.indpred IS NULL AND i.indexprs IS NULL AND k.place <= i.indnkeyatts
GROUP BY i.indexrelid, c.relname, i.indisprimary, to_jsonb(i)
ORDER BY c.relname, i.indisprimary DESC, i.indexrelid
"""

_FOREIGN_KEYS = """
SELECT child.relname::text, parent.relname::text, f.confmatchtype = 'f',
       array_agg(ca.attname::text ORDER BY k.place), array_agg(pa.attname::text ORDER BY k.place)
FROM pg_catalog.pg_constraint AS f
JOIN pg_catalog.pg_class AS child ON child.oid = f.conrelid
JOIN pg_catalog.pg_class AS parent ON parent.oid = f.confrelid
CROSS JOIN LATERAL unnest(f.conkey, f.confkey) WITH ORDINALITY AS k(child_column, parent_column, place)
JOIN pg_catalog.pg_attribute AS ca ON ca.attrelid = f.conrelid AND ca.attnum = k.child_column
JOIN pg_catalog.pg_attribute AS pa ON pa.attrelid = f.confrelid AND pa.attnum = k.parent_column
WHERE f.contype = 'f' AND f.conparentid = 0
  AND child.relnamespace = current_schema()::regnamespace AND parent.relnamespace = current_schema()::regnamespace
GROUP BY f.oid, child.relname, parent.relname, f.confmatchtype, f.conname
ORDER BY child.relname, f.conname
"""


@dataclass(frozen=True)
class TargetColumn:
    """A column of the target. ``type`` is the catalog's name of its base type (int4, varchar ...)."""

    name: str
    type: str  # 'enum' for any enumeration; '' for a type of somebody's own
    length: int | None  # characters of varchar and char; digits of the fraction of times
    precision: int | None  # of numeric
    scale: int | None
    not_null: bool
    generated: bool
    shown: str  # as SQL writes the type
    labels: tuple[str, ...] = ()
    minus_zero: bool = False  # the source's column may hold one, which SQLite's own digits are without
    by_python: bool = False  # this SQLite writes doubles with digits that do not mean them


@dataclass(frozen=True)
class Key:
    """A primary key, a unique constraint or index over plain columns."""

    columns: tuple[str, ...]
    primary: bool
    nulls_equal: bool


@dataclass(frozen=True)
class ForeignKey:
    """A foreign key of a table that rows are copied into."""

    columns: tuple[str, ...]
    parent: str
    parent_columns: tuple[str, ...]
    match_full: bool

    @property
    def shown(self) -> str:
        return f"{', '.join(self.columns)} -> {self.parent}"


@dataclass(frozen=True)
class TargetTable:
    """A table that rows are copied into."""

    name: str
    partitioned: bool
    columns: tuple[TargetColumn, ...]
    keys: tuple[Key, ...]
    foreign_keys: tuple[ForeignKey, ...]

    @property
    def sql(self) -> str:
        return quote_name(self.name)

    @property
    def key(self) -> tuple[str, ...]:
        return next((key.columns for key in self.keys if key.primary), ())


def read_target(connection: Any, ignore: Collection[str] = BOOKKEEPING_TABLES) -> tuple[TargetTable, ...]:
    """The user's tables of the current schema, by name; partitions count with the table that they are a part of."""
    columns: dict[str, list[TargetColumn]] = {}
    kinds: dict[str, str] = {}
    for name, kind, column, type_name, space, type_kind, modifier, not_null, generated, shown, labels in rows(
        connection, _COLUMNS
    ):
        if is_ignored(name, ignore):
            continue
        kinds[name] = kind
        known = "enum" if type_kind == "e" else type_name if space == "pg_catalog" and type_kind == "b" else ""
        length, precision, scale = _limits(known, modifier)
        columns.setdefault(name, []).append(
            TargetColumn(column, known, length, precision, scale, not_null, generated, shown, tuple(labels))
        )
    keys: dict[str, list[Key]] = {}
    for name, primary, nulls_equal, names in rows(connection, _KEYS):
        keys.setdefault(name, []).append(Key(tuple(names), primary, nulls_equal))
    foreign: dict[str, list[ForeignKey]] = {}
    for name, parent, full, names, parent_names in rows(connection, _FOREIGN_KEYS):
        foreign.setdefault(name, []).append(ForeignKey(tuple(names), parent, tuple(parent_names), full))
    return tuple(
        TargetTable(
            name, kinds[name] == "p", tuple(columns[name]), tuple(keys.get(name, ())), tuple(foreign.get(name, ()))
        )
        for name in sorted(columns)
    )


def validates_text(connection: Any) -> bool:
    """Does the server refuse what is not valid UTF-8? A database without an encoding takes any bytes."""
    return rows(connection, "SHOW server_encoding") != [("SQL_ASCII",)]


def rows(connection: Any, sql: str, parameters: tuple[Any, ...] | None = None) -> list[tuple[Any, ...]]:
    """All rows of a short query; none of a statement that has none."""
    with closing(connection.cursor()) as cursor:
        if parameters is None:
            cursor.execute(sql)
        else:
            cursor.execute(sql, parameters)
        return list(cursor.fetchall()) if cursor.description else []


def _limits(type_name: str, modifier: int) -> tuple[int | None, int | None, int | None]:
    """Length, precision and scale, as the catalog packs them into one number; -1 is none."""
    if type_name in ("timestamp", "timestamptz", "time"):
        return (6 if modifier < 0 else modifier), None, None
    if modifier < 0:
        return None, None, None
    if type_name in ("varchar", "bpchar"):
        return modifier - 4, None, None
    if type_name == "numeric":
        packed = modifier - 4
        scale = packed & 0x7FF
        return None, packed >> 16, scale - 2048 if scale > 1023 else scale
    return None, None, None
