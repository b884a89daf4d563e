"""What the database says of itself: yoyo's marks and log, and the ledger, our own facts about what was applied.

The ledger has one row for each apply, joined to yoyo's log by its id, and one for each rollback, so that the history
is whole. The row of the present apply is the one whose time is the mark's: after a plain ``yoyo rollback`` and ``yoyo
apply`` the old row no longer matches, and nothing is claimed about the text. Reading needs no yoyo.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from contextlib import closing
from typing import TYPE_CHECKING, Any, NamedTuple

from runner.domain.state import LedgerRow, Standing, stand

if TYPE_CHECKING:
    from runner.domain.migration import Dialect, Migration

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
    verify          VARCHAR(10),                        -- passed, failed; NULL: not verified
    apply_stat      VARCHAR(100),                       -- the files when they were read, so that who finds the same
    rollback_stat   VARCHAR(100)                        -- size, times and place again need not read them; or NULL
)
"""

#: What a ledger of an earlier version lacks.
ADDED_COLUMNS = ("apply_stat", "rollback_stat")

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
    *ADDED_COLUMNS,
)


class Records(NamedTuple):
    """What the database says of its migrations. A database without our tables says nothing."""

    marks: Mapping[str, str]  # yoyo's: by id the time, UTC, as text
    rows: Mapping[str, LedgerRow]  # of the marked ids that the ledger knows
    unfinished: tuple[str, ...]  # begun outside a transaction, and never ended

    def stand(
        self, connection: Any, dialect: Dialect, migrations: Sequence[Migration], unread: Collection[str] = ()
    ) -> Standing:
        """The records laid beside the files; see ``runner.domain.state.stand``."""
        rows = _with_texts(connection, dialect, migrations, self.rows, unread)
        return stand(migrations, self.marks, rows, self.unfinished, unread)


def read_standing(connection: Any, dialect: Dialect, migrations: Sequence[Migration]) -> Standing:
    """Where the database stands, laid beside the files. Writes nothing; a database without our tables is empty."""
    return read_records(connection, dialect).stand(connection, dialect, migrations)


def read_records(connection: Any, dialect: Dialect) -> Records:
    """Everything but the texts. Writes nothing."""
    present = ledger_tables(connection, dialect)
    if "_yoyo_migration" not in present:
        return Records({}, {}, ())
    marks = dict(fetch(connection, "SELECT migration_id, applied_at_utc FROM _yoyo_migration"))
    rows: dict[str, LedgerRow] = {}
    died: list[str] = []
    if LEDGER in present:
        found = fetch(
            connection,
            f"""
            SELECT operation, at_utc, migration_id, log_id, apply_sha256, rollback_sha256, schema_version, revision,
                   duration_ms, {", ".join(ADDED_COLUMNS) if present[LEDGER] else "NULL, NULL"}
            FROM {LEDGER} WHERE operation IN ('apply', 'unfinished')
            """,
        )
        for operation, at, id, *facts in found:
            if operation == "unfinished":
                died.append(id)
            elif marks.get(id) == at:
                rows[id] = LedgerRow(id, *facts)
    return Records({id: utc_text(at) for id, at in marks.items()}, rows, tuple(died))


def ledger_tables(connection: Any, dialect: Dialect) -> dict[str, bool]:
    """Of yoyo's marks and the ledger those that are there; and has it the columns of today's version?"""
    if dialect == "sqlite":
        sql = "SELECT name, instr(sql, 'rollback_stat') > 0 FROM sqlite_master WHERE type = 'table' AND name"
    else:
        sql = """
            SELECT c.relname::text,
                   EXISTS (SELECT FROM pg_attribute AS a WHERE a.attrelid = c.oid AND a.attname = 'rollback_stat')
            FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
            WHERE n.nspname = current_schema() AND c.relkind IN ('r', 'p') AND c.relname
            """
    return {name: bool(whole) for name, whole in fetch(connection, f"{sql} IN ('_yoyo_migration', '{LEDGER}')")}


def is_old(connection: Any, dialect: Dialect) -> bool:
    """Is there a ledger, and was it made by an earlier version, which had fewer columns?"""
    return not ledger_tables(connection, dialect).get(LEDGER, True)


def _with_texts(
    connection: Any,
    dialect: Dialect,
    migrations: Sequence[Migration],
    rows: Mapping[str, LedgerRow],
    unread: Collection[str],
) -> Mapping[str, LedgerRow]:
    """Add the stored texts where they are needed: the file is gone, or is not the one that was applied."""
    files = {migration.id: migration for migration in migrations}
    told: dict[str, LedgerRow] = {}
    for id in rows.keys() - unread if unread else rows:
        row, file = rows[id], files.get(id)
        rollback_sha256 = file.rollback.sha256 if file and file.rollback else None
        if file is None or file.apply.sha256 != row.apply_sha256 or rollback_sha256 != row.rollback_sha256:
            ((apply_sql, rollback_sql),) = fetch(
                connection,
                f"SELECT apply_sql, rollback_sql FROM {LEDGER} WHERE log_id = {'?' if dialect == 'sqlite' else '%s'}",
                (row.log_id,),
            )
            told[id] = row._replace(apply_sql=apply_sql, rollback_sql=rollback_sql)
    return {**rows, **told} if told else rows


def utc_text(value: Any) -> str:
    """A time of yoyo's or ours as ISO 8601 in UTC; yoyo on SQLite writes it with a blank or a T."""
    text = value.isoformat() if hasattr(value, "isoformat") else str(value).replace(" ", "T", 1)
    return f"{text}Z"


def fetch(connection: Any, sql: str, parameters: tuple[Any, ...] | None = None) -> list[tuple[Any, ...]]:
    with closing(connection.cursor()) as cursor:
        if parameters is None:
            cursor.execute(sql)
        else:
            cursor.execute(sql, parameters)
        rows: list[tuple[Any, ...]] = cursor.fetchall()
        return rows
