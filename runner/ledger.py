"""What the database says of itself: yoyo's marks and log, and the ledger, our own facts about what was applied.

The ledger has one row for each apply, joined to yoyo's log by its id, and one for each rollback, so that the history
is whole. The row of the present apply is the one whose time is the mark's: after a plain ``yoyo rollback`` and ``yoyo
apply`` the old row no longer matches, and nothing is claimed about the text. Reading needs no yoyo.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from typing import Any

from runner.dialects import tables
from runner.domain.migration import Dialect, Migration
from runner.domain.state import LedgerRow, Mark, Standing, stand

LEDGER = "_maxwell_ledger"

#: An apply text above this size is data rather than DDL, and only its checksum is kept. A rollback's always is.
LARGEST_APPLY_TEXT = 1_000_000

CREATE_LEDGER = f"""
CREATE TABLE {LEDGER} (
    log_id          VARCHAR(36)  NOT NULL PRIMARY KEY,  -- the row of _yoyo_log
    operation       VARCHAR(10)  NOT NULL,              -- apply, rollback; unfinished: begun outside a transaction
    migration_id    VARCHAR(255) NOT NULL,
    schema_version  VARCHAR(50),
    revision        VARCHAR(255),
    apply_sha256    VARCHAR(64),
    rollback_sha256 VARCHAR(64),
    apply_sql       TEXT,
    rollback_sql    TEXT,
    at_utc          TIMESTAMP    NOT NULL,              -- of an apply: the mark's applied_at_utc
    duration_ms     DOUBLE PRECISION,
    username        VARCHAR(255),
    hostname        VARCHAR(255),
    tool_version    VARCHAR(50),
    verify          VARCHAR(10)                         -- passed, failed; NULL: not verified
)
"""

TRANSFERS = "_maxwell_transfer"

#: The same as Maxwell's migration 007 makes; in a tree of somebody's own, which has none, the first transfer makes it.
CREATE_TRANSFERS = """
CREATE TABLE _maxwell_transfer (
    id              VARCHAR(36)   NOT NULL PRIMARY KEY,
    source          TEXT          NOT NULL,
    source_version  VARCHAR(50),
    migration_id    VARCHAR(255),
    started_at_utc  TIMESTAMP     NOT NULL,
    finished_at_utc TIMESTAMP     NOT NULL,
    total_rows      BIGINT        NOT NULL,
    checksum        VARCHAR(64)   NOT NULL,
    tables          TEXT          NOT NULL,
    mapped          TEXT          NOT NULL,
    map_text        TEXT,
    username        VARCHAR(255),
    hostname        VARCHAR(255),
    tool_version    VARCHAR(50),
    verify          VARCHAR(10)
);
DO $$
DECLARE
    other    text;
    may_read boolean;
BEGIN
    FOR other, may_read IN
        SELECT DISTINCT
            CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(a.grantee)) END,
            coalesce(has_table_privilege(CASE a.grantee WHEN 0 THEN 'public' ELSE pg_get_userbyid(a.grantee) END,
                                         to_regclass('_yoyo_migration'), 'SELECT'), false)
        FROM pg_class AS c CROSS JOIN LATERAL aclexplode(c.relacl) AS a
        WHERE c.oid = '_maxwell_transfer'::regclass AND a.grantee <> c.relowner
    LOOP
        EXECUTE 'REVOKE '
            || CASE WHEN may_read THEN 'INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER' ELSE 'ALL' END
            || ' ON _maxwell_transfer FROM ' || other;
    END LOOP;
END;
$$;
"""

COLUMNS = (
    "log_id",
    "operation",
    "migration_id",
    "schema_version",
    "revision",
    "apply_sha256",
    "rollback_sha256",
    "apply_sql",
    "rollback_sql",
    "at_utc",
    "duration_ms",
    "username",
    "hostname",
    "tool_version",
    "verify",
)


@dataclass(frozen=True)
class HistoryEntry:
    """One line of the history. What plain yoyo did has no checksum, duration or version."""

    at: str
    operation: str  # apply, rollback, mark, unmark: yoyo's words; transfer
    id: str  # of the migration; of a transfer the URL of its source
    version: str | None
    username: str | None
    hostname: str | None
    duration_ms: float | None
    apply_sha256: str | None
    tool_version: str | None
    verify: str | None


def read_standing(connection: Any, dialect: Dialect, migrations: Sequence[Migration]) -> Standing:
    """Where the database stands, laid beside the files. Writes nothing; a database without our tables is empty."""
    present = tables(connection, dialect)
    if "_yoyo_migration" not in present:
        return stand(migrations, (), {})
    if LEDGER not in present:
        rows = _fetch(connection, "SELECT migration_id, applied_at_utc FROM _yoyo_migration")
        return stand(migrations, [Mark(id, utc_text(at)) for id, at in rows], {})
    marks: list[Mark] = []
    ledger: dict[str, LedgerRow] = {}
    rows = _fetch(
        connection,
        f"""
        SELECT m.migration_id, m.applied_at_utc,
               l.log_id, l.apply_sha256, l.rollback_sha256, l.schema_version, l.revision, l.duration_ms
        FROM _yoyo_migration AS m
        LEFT JOIN {LEDGER} AS l
          ON l.migration_id = m.migration_id AND l.at_utc = m.applied_at_utc AND l.operation = 'apply'
        """,
    )
    for id, applied_at, log_id, *facts in rows:
        marks.append(Mark(id, utc_text(applied_at)))
        if log_id is not None:
            ledger[id] = LedgerRow(id, log_id, *facts)
    unfinished = [
        id for (id,) in _fetch(connection, f"SELECT migration_id FROM {LEDGER} WHERE operation = 'unfinished'")
    ]
    return stand(migrations, marks, _with_texts(connection, dialect, migrations, ledger), unfinished)


def _with_texts(
    connection: Any, dialect: Dialect, migrations: Sequence[Migration], ledger: dict[str, LedgerRow]
) -> dict[str, LedgerRow]:
    """Add the stored texts where they are needed: the file is gone, or is not the one that was applied."""
    files = {migration.id: migration for migration in migrations}
    for id, row in ledger.items():
        file = files.get(id)
        rollback_sha256 = file.rollback.sha256 if file and file.rollback else None
        if file is None or file.apply.sha256 != row.apply_sha256 or rollback_sha256 != row.rollback_sha256:
            ((apply_sql, rollback_sql),) = _fetch(
                connection,
                f"SELECT apply_sql, rollback_sql FROM {LEDGER} WHERE log_id = {'?' if dialect == 'sqlite' else '%s'}",
                (row.log_id,),
            )
            ledger[id] = replace(row, apply_sql=apply_sql, rollback_sql=rollback_sql)
    return ledger


def read_history(connection: Any, dialect: Dialect) -> tuple[HistoryEntry, ...]:
    """Everything that was done, oldest first."""
    present = tables(connection, dialect)
    entries = _transfers(connection) if TRANSFERS in present and dialect == "postgres" else ()
    if "_yoyo_log" not in present:
        return entries
    ledger = LEDGER in present
    facts = "k.schema_version, k.duration_ms, k.apply_sha256, k.tool_version, k.verify"
    rows = _fetch(
        connection,
        f"""
        SELECT l.created_at_utc, l.operation, l.migration_id, l.username, l.hostname,
               {facts if ledger else "NULL, NULL, NULL, NULL, NULL"}
        FROM _yoyo_log AS l {f"LEFT JOIN {LEDGER} AS k ON k.log_id = l.id" if ledger else ""}
        ORDER BY l.created_at_utc, l.id
        """,
    )
    log = tuple(
        HistoryEntry(
            at=utc_text(at),
            operation=operation,
            id=id,
            version=version,
            username=username,
            hostname=hostname,
            duration_ms=duration_ms,
            apply_sha256=apply_sha256,
            tool_version=tool_version,
            verify=verify,
        )
        for at, operation, id, username, hostname, version, duration_ms, apply_sha256, tool_version, verify in rows
    )
    # Sorting is stable: what happened at one moment stays in the log's order.
    return tuple(sorted((*log, *entries), key=lambda entry: entry.at)) if entries else log


def _transfers(connection: Any) -> tuple[HistoryEntry, ...]:
    """What was copied into this database from SQLite, as entries of the history."""
    rows = _fetch(
        connection,
        f"""
        SELECT finished_at_utc, source, source_version, username, hostname,
               extract(epoch FROM finished_at_utc - started_at_utc)::float8 * 1000, checksum, tool_version, verify
        FROM {TRANSFERS} ORDER BY finished_at_utc
        """,
    )
    return tuple(
        HistoryEntry(
            at=utc_text(at),
            operation="transfer",
            id=source,
            version=version,
            username=username,
            hostname=hostname,
            duration_ms=duration,
            apply_sha256=checksum,
            tool_version=tool,
            verify=verify,
        )
        for at, source, version, username, hostname, duration, checksum, tool, verify in rows
    )


def utc_text(value: Any) -> str:
    """A time of yoyo's or ours as ISO 8601 in UTC; yoyo on SQLite writes it with a blank or a T."""
    text = value.isoformat() if hasattr(value, "isoformat") else str(value).replace(" ", "T", 1)
    return f"{text}Z"


def _fetch(connection: Any, sql: str, parameters: tuple[Any, ...] | None = None) -> list[tuple[Any, ...]]:
    with closing(connection.cursor()) as cursor:
        if parameters is None:
            cursor.execute(sql)
        else:
            cursor.execute(sql, parameters)
        rows: list[tuple[Any, ...]] = cursor.fetchall()
        return rows
