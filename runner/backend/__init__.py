"""The only modules on yoyo's backends: one migration is one transaction on one connection.

yoyo runs a migration on a second connection, then logs it, then marks it, in three commits; a death in between leaves
schema and marks apart. Here its steps, its mark and log rows and our ledger row share one COMMIT, so that ``kill -9``
leaves a database either before or after a migration. Order, tables, marks, log and step execution stay yoyo's.
"""

from __future__ import annotations

from typing import Any

from runner.backend import yoyo_alone as yoyo_alone  # before yoyo is imported
from runner.backend.common import Backend, BeforeCommit
from runner.backend.steps import SqlMigration, as_yoyo
from runner.domain.url import DatabaseUrl

__all__ = ["Backend", "BeforeCommit", "SqlMigration", "as_yoyo", "open_backend"]


def open_backend(url: DatabaseUrl, connection: Any) -> Backend:
    """A backend on an open connection, which stays the caller's to close."""
    if url.dialect == "sqlite":
        from runner.backend.sqlite import SqliteBackend

        return SqliteBackend(url, connection)
    from runner.backend.postgres import PostgresBackend

    return PostgresBackend(url, connection)
