"""What each statement of a PostgreSQL migration does: how long it takes, what it locks, which tables it writes anew.

The statements run one by one in a transaction that is rolled back. Locks are kept until its end, so that they can be
read from pg_locks after each statement; a table that was written anew has another relfilenode.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing
from typing import Any

from runner.domain import sql
from runner.domain.migration import Script
from runner.domain.outcome import Direction
from runner.rehearsal.model import Lock, StatementReport

#: PostgreSQL's lock modes from the weakest to the strongest, as SQL has them, and whom each keeps waiting.
MODES = {
    "AccessShareLock": ("ACCESS SHARE", "nothing but ACCESS EXCLUSIVE"),
    "RowShareLock": ("ROW SHARE", "other schema changes"),
    "RowExclusiveLock": ("ROW EXCLUSIVE", "CREATE INDEX and other schema changes"),
    "ShareUpdateExclusiveLock": ("SHARE UPDATE EXCLUSIVE", "other schema changes and VACUUM"),
    "ShareLock": ("SHARE", "writes"),
    "ShareRowExclusiveLock": ("SHARE ROW EXCLUSIVE", "writes"),
    "ExclusiveLock": ("EXCLUSIVE", "writes and SELECT FOR UPDATE"),
    "AccessExclusiveLock": ("ACCESS EXCLUSIVE", "reads and writes"),
}
STRENGTH = {mode: number for number, mode in enumerate(MODES)}
ORDINARY = frozenset({"ACCESS SHARE", "ROW SHARE", "ROW EXCLUSIVE"})  # what an application's own statements take

_FILES = """
SELECT c.oid, c.relname::text, c.relfilenode, c.relkind::text FROM pg_catalog.pg_class AS c
WHERE c.relkind IN ('r', 'm', 'i', 'p', 'v', 'S') AND c.relnamespace = %s
"""
_SCHEMA = "SELECT n.oid FROM pg_catalog.pg_namespace AS n WHERE n.nspname = current_schema()"
LOCKS = """
SELECT l.relation, l.mode FROM pg_catalog.pg_locks AS l
WHERE l.pid = pg_backend_pid() AND l.locktype = 'relation' AND l.granted
  AND l.database = (SELECT d.oid FROM pg_catalog.pg_database AS d WHERE d.datname = current_database())
"""
ALONE = "it runs outside a transaction: what is told is its run itself, and the locks that were seen meanwhile"


def observe(
    connection: Any, id: str, direction: Direction, script: Script, *, transactional: bool
) -> tuple[StatementReport, ...]:
    """What each statement does to what is there; up to the first that fails. The database stays as it is."""
    if not transactional:
        return ()  # there is nothing to roll back: the run itself is what can be timed
    return tuple(_observed(connection, id, direction, script))


def _observed(connection: Any, id: str, direction: Direction, script: Script) -> Iterator[StatementReport]:
    with closing(connection.cursor()) as cursor:
        cursor.execute("BEGIN")
        try:
            cursor.execute(_SCHEMA)
            (schema,) = cursor.fetchone()  # a statement may set another search_path
            cursor.execute(_FILES, (schema,))
            before: dict[int, tuple[str, int, str]] = {oid: (name, file, kind) for oid, name, file, kind in cursor}
            held: dict[int, str] = {}
            for statement in sql.postgres_statements(script.text):
                began = time.perf_counter()
                try:
                    cursor.execute(statement.text)
                except connection.Error:
                    return  # the run itself tells of it
                milliseconds = round((time.perf_counter() - began) * 1000, 3)
                now = _strongest(cursor, before)
                locks = [
                    Lock(before[oid][0], *MODES[mode])
                    for oid, mode in sorted(now.items(), key=lambda item: (-STRENGTH[item[1]], before[item[0]][0]))
                    if oid not in held or STRENGTH[mode] > STRENGTH[held[oid]]
                ]
                held = now
                rewrites = _rewritten(cursor, schema, before)
                yield StatementReport(
                    id,
                    direction,
                    script.path,
                    sql.line_of(script.text, statement.start),
                    statement.text,
                    milliseconds,
                    tuple(locks),
                    tuple(sorted(rewrites)),
                )
        finally:
            cursor.execute("ROLLBACK")


def _strongest(cursor: Any, before: dict[int, tuple[str, int, str]]) -> dict[int, str]:
    """The strongest lock on each table that was there before; an index is locked with its table."""
    cursor.execute(LOCKS)
    strongest: dict[int, str] = {}
    for oid, mode in cursor.fetchall():
        if oid in before and before[oid][2] != "i" and STRENGTH[mode] >= STRENGTH.get(strongest.get(oid, ""), -1):
            strongest[oid] = mode
    return strongest


def _rewritten(cursor: Any, schema: int, before: dict[int, tuple[str, int, str]]) -> list[str]:
    """What has another file than before, which from then on is the one to compare with."""
    cursor.execute(_FILES, (schema,))
    found = []
    for oid, name, file, kind in cursor.fetchall():
        if oid in before and before[oid][1] != file:
            found.append(f"index {name}" if kind == "i" else name)
            before[oid] = (name, file, kind)
    return found
