"""Dumps of a PostgreSQL database: ``pg_dump -Fc`` of one snapshot, read whole before it is called a backup."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import psycopg2
from psycopg2.sql import SQL, Identifier, Literal

from runner.backup.child import run, running
from runner.backup.files import Told
from runner.dialects.postgres import translate
from runner.dialects.postgres_programs import Program, access, without_secrets
from runner.domain.url import DatabaseUrl
from runner.errors import BackupFailed


def in_snapshot(connection: Any, work: Callable[[str], None]) -> None:
    """Do ``work`` while the connection holds a snapshot, whose name it is given, so that others can see the same."""
    with closing(connection.cursor()) as cursor:
        cursor.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL row_security = off")
        try:
            cursor.execute("SELECT pg_export_snapshot()")
            work(cursor.fetchone()[0])
        finally:
            if not connection.closed:
                cursor.execute("ROLLBACK")


def dump(
    url: DatabaseUrl, pg_dump: Program, pg_restore: Program, snapshot: str, file: Path, descriptor: int, told: Told
) -> None:
    """Write the database, as the snapshot shows it, to an open file, in pg_dump's own compressed format.

    Owners, privileges, large objects and every schema are in it; the rows of yoyo's lock table are not. While it is
    written, pg_restore unpacks it, block by block: listing what is in a dump would not notice that its end is missing.
    """
    options = ["--format=custom", "--no-password", f"--snapshot={snapshot}", "--exclude-table-data=*.yoyo_lock"]
    with (
        access(url) as (dsn, environment),
        running([str(pg_restore.path), f"--file={os.devnull}"], without_secrets(), stdin=subprocess.PIPE) as reader,
        running([str(pg_dump.path), *options, f"--dbname={dsn}"], environment, stdout=descriptor) as writer,
    ):
        handed_on = 0

        def tick() -> None:
            nonlocal handed_on
            handed_on = reader.feed(descriptor, handed_on)
            told(handed_on, None)

        writer.wait(tick)
        tick()
        reader.close_input()
        reader.wait()
    # Its table of contents is written last, at the beginning.
    run([str(pg_restore.path), "--list", str(file)], without_secrets())


@contextmanager
def telling(url: DatabaseUrl, code: str) -> Iterator[None]:
    """The server's words for what stopped a backup or a restore, as BackupFailed."""
    try:
        yield
    except psycopg2.Error as error:
        raise BackupFailed(translate(error, url).message, code=code, hint="The database is as it was.") from None


def server_version(connection: Any) -> str:
    version = connection.server_version
    return f"PostgreSQL {version // 10000}.{version % 10000}"


def count_rows(connection: Any) -> dict[str, int]:
    """The rows of every table of every schema but yoyo's lock; the schema is named where it is not ``public``."""
    with closing(connection.cursor()) as cursor:
        cursor.execute(
            """
            SELECT n.nspname::text, c.relname::text, n.nspname = 'public'
            FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
            WHERE c.relkind = 'r' AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
              AND c.relname <> 'yoyo_lock' AND c.relpersistence <> 't'
            ORDER BY 1, 2
            """
        )
        found = cursor.fetchall()
        counts: dict[str, int] = {}
        for start in range(0, len(found), 200):
            parts = [
                SQL("SELECT {}, count(*) FROM {}").format(
                    Literal(table if public else f"{schema}.{table}"), Identifier(schema, table)
                )
                for schema, table, public in found[start : start + 200]
            ]
            cursor.execute(SQL(" UNION ALL ").join(parts))
            counts |= {str(name): int(rows) for name, rows in cursor.fetchall()}
    return dict(sorted(counts.items()))
