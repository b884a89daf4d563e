"""The checks that nobody has to write, for any schema: keys, and what each database can say about itself."""

from __future__ import annotations

from verify.catalog import Catalog, Table
from verify.foreign_key_check import foreign_key_check_sql
from verify.model import Check
from verify.quoting import quote_identifier, quote_literal

FOREIGN_KEY_CHECK = "foreign-key-check"
INTEGRITY_CHECK = "integrity-check"

# Counting the keys of a larger table on PostgreSQL costs more than all its orphan checks together.
_SMALL_TABLE_BYTES = 16 * 1024 * 1024

# SQLite's own check looks each row up by itself: of a larger file it costs several times all the orphan checks.
_SMALL_FILE_BYTES = 1024 * 1024 * 1024


def key_checks(catalog: Catalog) -> tuple[Check, ...]:
    """``key:table`` for each table: its primary key is neither NULL nor there twice."""
    checks = []
    for table in catalog.whole_tables:
        check = Check(
            name=f"key:{table.name}",
            kind="key",
            severity="error",
            sql=_key_sql(table),
            summary=f"Each row of {table.name} has a primary key of its own.",
            skip=_key_skip(table),
        )
        checks.append(check)
    return tuple(checks)


def _key_skip(table: Table) -> str | None:
    if not table.key:
        return "the table has no primary key"
    if table.bytes is not None and table.bytes > _SMALL_TABLE_BYTES:
        return "a large table, whose unique index keeps the key; name the check with --only to run it"
    return None


def _key_sql(table: Table) -> str:
    columns = [f"t.{quote_identifier(column)}" for column in table.key]
    name = quote_literal(table.name)
    if not columns:
        return "SELECT NULL AS table_name, NULL AS row_key, NULL AS detail WHERE 1 = 0"
    missing = " OR ".join(f"{column} IS NULL" for column in columns)
    null = (
        f"SELECT {name} AS table_name, {table.row_key('t')} AS row_key, 'its primary key is NULL' AS detail\n"
        f"FROM {table.sql} AS t WHERE {missing}"
    )
    # SQLite allows NULL in a primary key, and its integrity_check looks for doubles only through the index.
    # PostgreSQL allows no NULL; doubles come with a broken index (a changed collation of the system, mostly).
    there = " AND ".join(f"{column} IS NOT NULL" for column in columns)
    keys = ", ".join(columns)
    row_key = Table(table.name, table.schema, table.dialect, table.columns, table.key, None).row_key("t")
    double = (
        f"SELECT {name} AS table_name, {row_key} AS row_key,\n"
        f"       'its primary key stands in ' || count(*) || ' rows' AS detail\n"
        f"FROM {table.sql} AS t WHERE {there}\nGROUP BY {keys} HAVING count(*) > 1"
    )
    return double if table.dialect == "postgres" else f"{null}\nUNION ALL\n{double}"


def integrity_checks(catalog: Catalog) -> tuple[Check, ...]:
    """What the database can say about itself; whole-database checks, one of each."""
    if catalog.dialect == "postgres":
        return _postgres_checks()
    return (
        Check(INTEGRITY_CHECK, "integrity", "error", _SQLITE_INTEGRITY, summary="The file's own structure is sound."),
        Check(
            FOREIGN_KEY_CHECK,
            "integrity",
            "error",
            foreign_key_check_sql(catalog.foreign_keys),
            summary="SQLite's own foreign key check agrees with the generated orphan checks.",
            skip=_foreign_key_check_skip(catalog),
        ),
    )


def _foreign_key_check_skip(catalog: Catalog) -> str | None:
    if catalog.bytes is not None and catalog.bytes > _SMALL_FILE_BYTES:
        return "a large file, and a second opinion on the orphan checks; name the check with --only to run it"
    return None


_SQLITE_INTEGRITY = """\
SELECT 'the database' AS table_name, '-' AS row_key, integrity_check AS detail
FROM pragma_integrity_check WHERE integrity_check <> 'ok'"""


def _postgres_checks() -> tuple[Check, ...]:
    return (
        Check("invalid-index", "integrity", "error", _INVALID_INDEX, summary="Each index is valid and in use."),
        Check(
            "unvalidated-constraint",
            "integrity",
            "warn",
            _UNVALIDATED,
            summary="Each constraint has been validated against the rows that were there before it.",
        ),
        Check("disabled-trigger", "integrity", "error", _DISABLED, summary="Each trigger fires, foreign keys' too."),
    )


_SCHEMA = "(SELECT n.oid FROM pg_catalog.pg_namespace AS n WHERE n.nspname = current_schema())"

_INVALID_INDEX = f"""\
SELECT t.relname AS table_name, i.relname AS row_key,
       'the index is not valid: drop it, or REINDEX' AS detail
FROM pg_catalog.pg_index AS x
JOIN pg_catalog.pg_class AS i ON i.oid = x.indexrelid
JOIN pg_catalog.pg_class AS t ON t.oid = x.indrelid
WHERE NOT (x.indisvalid AND x.indisready AND x.indislive) AND t.relnamespace = {_SCHEMA}
ORDER BY t.relname, i.relname"""

# A constraint that is NOT ENFORCED (PostgreSQL 18) was never meant to be validated.
_UNVALIDATED = f"""\
SELECT t.relname AS table_name, k.conname AS row_key,
       'the constraint is NOT VALID: ' || pg_catalog.pg_get_constraintdef(k.oid) AS detail
FROM pg_catalog.pg_constraint AS k
JOIN pg_catalog.pg_class AS t ON t.oid = k.conrelid
WHERE NOT k.convalidated AND t.relnamespace = {_SCHEMA}
  AND coalesce((to_jsonb(k) ->> 'conenforced')::boolean, true)
ORDER BY t.relname, k.conname"""

_DISABLED = f"""\
SELECT t.relname AS table_name, g.tgname AS row_key,
       CASE WHEN g.tgisinternal THEN 'a foreign key''s trigger does not fire: '
            ELSE 'the trigger does not fire: ' END
       || CASE g.tgenabled WHEN 'D' THEN 'disabled' ELSE 'enabled for replication only' END AS detail
FROM pg_catalog.pg_trigger AS g
JOIN pg_catalog.pg_class AS t ON t.oid = g.tgrelid
WHERE g.tgenabled IN ('D', 'R') AND t.relnamespace = {_SCHEMA}
ORDER BY t.relname, g.tgname"""
