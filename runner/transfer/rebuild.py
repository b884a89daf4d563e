"""Around the copy: keys, indexes and triggers away, and back exactly as they were; sequences set.

Everything in the caller's transaction, and with the rights of the tables' owner. What could not be put back word for
word (an index with a comment, say) is left where it is, and the copy is slower by that.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from runner.domain.quoting import quote_name, quote_text
from runner.transfer.model import Progress
from runner.transfer.source import Plan, Source
from runner.transfer.target import TargetTable, rows

# What copies nothing but definitions: a constraint or an index of which the catalog says more than its definition is
# not in these lists.
_FOREIGN_KEYS = """
SELECT f.conrelid::regclass::text, f.conname::text, pg_get_constraintdef(f.oid)
FROM pg_constraint AS f JOIN pg_class AS c ON c.oid = f.conrelid
WHERE f.contype = 'f' AND f.conparentid = 0 AND c.relkind = 'r' AND NOT c.relispartition
  AND c.relnamespace = current_schema()::regnamespace AND c.relname = ANY (%s)
  AND obj_description(f.oid, 'pg_constraint') IS NULL
ORDER BY 1, 2
"""
_INDEXES = """
SELECT c.relname::text, i.indexrelid::regclass::text, pg_get_indexdef(i.indexrelid), k.conname::text,
       pg_get_constraintdef(k.oid)
FROM pg_index AS i
JOIN pg_class AS c ON c.oid = i.indrelid
JOIN pg_class AS x ON x.oid = i.indexrelid
LEFT JOIN pg_constraint AS k ON k.conindid = i.indexrelid AND k.conrelid = i.indrelid AND k.contype IN ('p', 'u', 'x')
WHERE c.relkind = 'r' AND NOT c.relispartition AND x.relkind = 'i'
  AND c.relnamespace = current_schema()::regnamespace AND c.relname = ANY (%s)
  AND i.indisvalid AND NOT i.indisclustered AND NOT i.indisreplident
  AND x.reloptions IS NULL AND x.reltablespace = 0
  AND obj_description(x.oid, 'pg_class') IS NULL
  AND (k.oid IS NULL OR obj_description(k.oid, 'pg_constraint') IS NULL)
  AND NOT EXISTS (SELECT FROM pg_attribute AS a WHERE a.attrelid = x.oid AND to_jsonb(a) ->> 'attstattarget' <> '-1')
  -- A view may depend on a primary key, and a foreign key that stays in place on any.
  AND NOT EXISTS (
      SELECT FROM pg_depend AS d
      WHERE d.deptype = 'n' AND ((d.refclassid = 'pg_constraint'::regclass AND d.refobjid = k.oid)
                                 OR (d.refclassid = 'pg_class'::regclass AND d.refobjid = x.oid))
        AND NOT (d.classid = 'pg_constraint'::regclass AND d.objid = ANY (%s::oid[]))
  )
ORDER BY k.contype = 'p' DESC NULLS LAST, 1, 2
"""
_TRIGGERS = """
SELECT c.oid::regclass::text, t.tgname::text, t.tgenabled::text
FROM pg_trigger AS t JOIN pg_class AS c ON c.oid = t.tgrelid
WHERE NOT t.tgisinternal AND c.relnamespace = current_schema()::regnamespace AND c.relname = ANY (%s)
  AND t.tgenabled <> 'D'
ORDER BY 1, 2
"""
_SEQUENCES = """
SELECT c.relname::text, a.attname::text, s.oid::regclass::text, q.seqincrement, q.seqmin, q.seqmax
FROM pg_depend AS d
JOIN pg_class AS s ON s.oid = d.objid AND s.relkind = 'S'
JOIN pg_sequence AS q ON q.seqrelid = s.oid
JOIN pg_class AS c ON c.oid = d.refobjid
JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum = d.refobjsubid
WHERE d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass AND d.deptype IN ('a', 'i')
  AND c.relnamespace = current_schema()::regnamespace AND c.relname = ANY (%s)
UNION
SELECT c.relname::text, a.attname::text, s.oid::regclass::text, q.seqincrement, q.seqmin, q.seqmax
FROM pg_depend AS d
JOIN pg_attrdef AS e ON e.oid = d.objid
JOIN pg_class AS s ON s.oid = d.refobjid AND s.relkind = 'S'
JOIN pg_sequence AS q ON q.seqrelid = s.oid
JOIN pg_class AS c ON c.oid = e.adrelid
JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum = e.adnum
WHERE d.classid = 'pg_attrdef'::regclass AND d.refclassid = 'pg_class'::regclass
  AND c.relnamespace = current_schema()::regnamespace AND c.relname = ANY (%s)
ORDER BY 1, 2
"""

_LEFT_IN_PLACE = """
SELECT count(*) FROM pg_constraint AS f JOIN pg_class AS c ON c.oid = f.conrelid
WHERE f.contype = 'f' AND c.relnamespace = current_schema()::regnamespace AND c.relname = ANY (%s)
"""

# Everything that has to be the same before and after.
_CATALOG = """
SELECT 'constraint', k.conrelid::regclass::text, k.conname::text,
       pg_get_constraintdef(k.oid) || CASE WHEN k.convalidated THEN '' ELSE ' (not validated)' END
FROM pg_constraint AS k JOIN pg_class AS c ON c.oid = k.conrelid WHERE c.relnamespace = current_schema()::regnamespace
UNION ALL
SELECT 'index', i.indrelid::regclass::text, i.indexrelid::regclass::text,
       concat_ws(' ', pg_get_indexdef(i.indexrelid), i.indisvalid, i.indisclustered, i.indisreplident, i.indimmediate)
FROM pg_index AS i JOIN pg_class AS c ON c.oid = i.indrelid WHERE c.relnamespace = current_schema()::regnamespace
UNION ALL
SELECT 'trigger', t.tgrelid::regclass::text, t.tgname::text, t.tgenabled::text || ' ' || pg_get_triggerdef(t.oid)
FROM pg_trigger AS t JOIN pg_class AS c ON c.oid = t.tgrelid
WHERE NOT t.tgisinternal AND c.relnamespace = current_schema()::regnamespace
UNION ALL
SELECT 'column', a.attrelid::regclass::text, a.attname::text,
       concat_ws(' ', format_type(a.atttypid, a.atttypmod), a.attnotnull, a.attidentity, a.attgenerated,
                 pg_get_expr(d.adbin, d.adrelid))
FROM pg_attribute AS a JOIN pg_class AS c ON c.oid = a.attrelid
LEFT JOIN pg_attrdef AS d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
WHERE a.attnum > 0 AND NOT a.attisdropped AND c.relkind IN ('r', 'p', 'v', 'm')
  AND c.relnamespace = current_schema()::regnamespace
ORDER BY 1, 2, 3
"""

Catalog = tuple[tuple[Any, ...], ...]
_SORT_KILOBYTES = 256 * 1024  # for an index that is built; the server's own default is a quarter of it


@dataclass(frozen=True)
class Away:
    """What was taken away, as the statements that put it back."""

    keys: tuple[str, ...]
    indexes: tuple[str, ...]
    foreign_keys: tuple[str, ...]
    triggers: tuple[str, ...]
    all_keys: bool  # there are no foreign keys but these, and each is validated when it is put back


def read_definitions(connection: Any) -> Catalog:
    """Every constraint, index, trigger and column of the schema, as text."""
    return tuple(rows(connection, _CATALOG))


def take_away(connection: Any, tables: Sequence[TargetTable]) -> Away:
    """Drop what would be kept up row by row, and switch the users' triggers off."""
    names = [table.name for table in tables]
    triggers = rows(connection, _TRIGGERS, (names,))
    for table in tables:
        _run(connection, f"ALTER TABLE {table.sql} DISABLE TRIGGER USER")
    foreign = rows(connection, _FOREIGN_KEYS, (names,))
    oids = [
        oid
        for table, name, _ in foreign
        for (oid,) in rows(
            connection, "SELECT oid FROM pg_constraint WHERE conrelid = %s::regclass AND conname = %s", (table, name)
        )
    ]
    indexes = rows(connection, _INDEXES, (names, oids))
    for table, name, _ in foreign:
        _run(connection, f"ALTER TABLE {table} DROP CONSTRAINT {quote_name(name)}")
    for table, index, _, constraint, _ in reversed(indexes):
        if constraint is None:
            _run(connection, f"DROP INDEX {index}")
        else:
            _run(connection, f"ALTER TABLE {quote_name(table)} DROP CONSTRAINT {quote_name(constraint)}")
    states = {"O": "ENABLE", "R": "ENABLE REPLICA", "A": "ENABLE ALWAYS"}
    return Away(
        keys=tuple(
            f"ALTER TABLE {quote_name(table)} ADD CONSTRAINT {quote_name(constraint)} {definition}"
            for table, _, _, constraint, definition in indexes
            if constraint is not None
        ),
        indexes=tuple(definition for _, _, definition, constraint, _ in indexes if constraint is None),
        foreign_keys=tuple(
            f"ALTER TABLE {table} ADD CONSTRAINT {quote_name(name)} {definition}" for table, name, definition in foreign
        ),
        triggers=tuple(
            f"ALTER TABLE {table} {states[state]} TRIGGER {quote_name(name)}" for table, name, state in triggers
        ),
        all_keys=rows(connection, _LEFT_IN_PLACE, (names,)) == [(0,)]
        and not any(definition.endswith(("NOT VALID", "NOT ENFORCED")) for _, _, definition in foreign),
    )


def put_back(connection: Any, away: Away, progress: Progress) -> None:
    """Make keys and indexes anew over the rows that are there now, then the foreign keys, which checks them."""
    statements = [*away.keys, *away.indexes, *away.foreign_keys, *away.triggers]
    progress.stage("building keys and indexes", len(statements))
    for statement in statements:
        _run(connection, statement)
        progress.advance(1)
    _run(connection, "SET CONSTRAINTS ALL IMMEDIATE")  # what was left in place, and waits for the commit


def empty(connection: Any, tables: Sequence[TargetTable]) -> None:
    """New, empty files for the tables, so that COPY may FREEZE; after ``take_away``, which left no references."""
    if tables:
        _run(connection, f"TRUNCATE {', '.join(table.sql for table in tables)}")


def set_sequences(connection: Any, source: Source, plans: Sequence[Plan]) -> None:
    """Let every sequence of a column go on behind its last value; also behind what SQLite's AUTOINCREMENT gave."""
    by_name = {plan.name: plan for plan in plans}
    given = {}
    if source.rows("SELECT 1 FROM sqlite_master WHERE name = 'sqlite_sequence'"):
        given = {bytes(name).decode("utf-8", "replace"): seq for name, seq in source.rows(_GIVEN)}
    names = list(by_name)
    for table, column, sequence, increment, smallest, largest in rows(connection, _SEQUENCES, (names, names)):
        plan = by_name[table]
        if column not in plan.values:
            continue
        edge = "max" if increment > 0 else "min"
        ((last,),) = rows(connection, f"SELECT {edge}({quote_name(column)})::bigint FROM {plan.target.sql}")
        known = [value for value in (last, given.get(plan.source.name) if increment > 0 else None) if value is not None]
        if known:
            following = (max(known) if increment > 0 else min(known)) + increment
            if smallest <= following <= largest:
                # Not setval(): that would stay if the transaction is rolled back.
                _run(connection, f"ALTER SEQUENCE {sequence} RESTART WITH {following}")


_GIVEN = "SELECT name, seq FROM sqlite_sequence"


def analyze(connection: Any, tables: Sequence[TargetTable], progress: Progress) -> None:
    """Tell the planner what the tables hold; also for the checks that come."""
    progress.stage("analyzing", None)
    if tables:
        _run(connection, f"ANALYZE {', '.join(table.sql for table in tables)}")


def lock_tables(connection: Any, tables: Sequence[TargetTable], seconds: float) -> None:
    """Keep everybody else away from the tables until the end of the transaction; given up after ``seconds``."""
    _run(connection, f"SET LOCAL lock_timeout = {max(1, int(seconds * 1000))}")
    if tables:
        _run(connection, f"LOCK TABLE {', '.join(table.sql for table in tables)} IN ACCESS EXCLUSIVE MODE")


def first_row_of(connection: Any, tables: Sequence[TargetTable]) -> str | None:
    """A table that has a row; None if all are empty."""
    for table in tables:
        if rows(connection, f"SELECT 1 FROM {table.sql} LIMIT 1"):
            return table.name
    return None


def settings(connection: Any) -> None:
    """For the transaction: nothing of the server's or the role's own makes values, or their texts, differ."""
    for name, value in (
        ("TimeZone", "UTC"),
        ("DateStyle", "ISO, YMD"),
        ("bytea_output", "hex"),
        ("extra_float_digits", "1"),
        ("statement_timeout", "0"),
        ("idle_in_transaction_session_timeout", "0"),
        ("row_security", "off"),
        ("synchronize_seqscans", "off"),  # tables are read from their first row on
        ("client_encoding", "UTF8"),
    ):
        _run(connection, f"SET LOCAL {name} = {quote_text(value)}")
    ((kilobytes,),) = rows(connection, "SELECT setting::bigint FROM pg_settings WHERE name = 'maintenance_work_mem'")
    if kilobytes < _SORT_KILOBYTES:
        _run(connection, f"SET LOCAL maintenance_work_mem = {_SORT_KILOBYTES}")


def in_order(connection: Any) -> None:
    """For the rest of the transaction: one process reads a table, from its first row to its last."""
    _run(connection, "SET LOCAL max_parallel_workers_per_gather = 0")


def _run(connection: Any, sql: str) -> None:
    with closing(connection.cursor()) as cursor:
        cursor.execute(sql)
