"""Folders of small migrations for tests, and the proof that a refused command has left everything as it was."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg2

from runner.domain.migration import Dialect
from tests.support.databases import Database, run_as_admin
from tests.support.tool import Result, maxwell_db


@dataclass(frozen=True)
class Folder:
    """A project's migrations, those of one dialect in ROOT/DIALECT."""

    root: Path
    dialect: Dialect

    @property
    def path(self) -> Path:
        return self.root / self.dialect

    def write(self, name: str, content: str | bytes) -> Path:
        """Write one file, byte for byte."""
        self.path.mkdir(parents=True, exist_ok=True)
        path = self.path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    def pair(self, id: str, apply: str | None = None, rollback: str | None = None, *, header: str = "") -> Path:
        """A migration and its way back; without texts it makes the table ``t_ID``."""
        table = f"t_{id.replace('.', '_')}"
        self.write(f"{id}.rollback.sql", rollback or f"DROP TABLE {table};\n")
        return self.write(f"{id}.sql", header + (apply or f"CREATE TABLE {table} (id INTEGER);\n"))

    def remove(self, id: str) -> None:
        for name in (f"{id}.sql", f"{id}.rollback.sql"):
            (self.path / name).unlink(missing_ok=True)


@contextmanager
def own_schema(base: Database, name: str) -> Iterator[Database]:
    """A schema of its own in a PostgreSQL database: as good as a database, and made in no time."""
    run_as_admin(base.url, f'CREATE SCHEMA "{name}"')

    def opener() -> Any:
        connection = psycopg2.connect(base.url, options=f"-c search_path={name}")
        connection.autocommit = True
        return connection

    try:
        yield Database("postgres", f"{base.url}{'&' if '?' in base.url else '?'}schema={name}", None, opener)
    finally:
        run_as_admin(base.url, f'DROP SCHEMA "{name}" CASCADE')


def permissions_count() -> bool:
    """Do a file's permissions keep this user out? Root may read and write what nobody may."""
    with tempfile.NamedTemporaryFile() as file:
        Path(file.name).chmod(0)
        return not os.access(file.name, os.R_OK)


def all_tables(database: Database) -> set[str]:
    """Every table that there is, bookkeeping included; without making a SQLite file that is not there."""
    if database.path is not None and not database.path.exists():
        return set()
    rows = database.query(
        "SELECT name FROM sqlite_master WHERE type = 'table'"
        if database.dialect == "sqlite"
        else "SELECT tablename FROM pg_tables WHERE schemaname = current_schema()"
    )
    return {name for (name,) in rows}


def own_tables(database: Database) -> set[str]:
    """The tables that migrations made."""
    return {name for name in all_tables(database) if not name.startswith(("_yoyo", "yoyo_lock", "_maxwell", "sqlite_"))}


def marks(database: Database) -> list[str]:
    """The ids that yoyo's table says are applied."""
    if "_yoyo_migration" not in all_tables(database):
        return []
    return [id for (id,) in database.query("SELECT migration_id FROM _yoyo_migration ORDER BY migration_id")]


def footprint(database: Database) -> object:
    """All that a command which is refused must not change: each byte of the files, or each row of each table."""
    if database.path is not None:
        return {
            path.name: (path.read_bytes(), path.stat().st_mtime_ns)
            for path in database.path.parent.glob(f"{database.path.name}*")
        }
    with database.connect() as connection, connection.cursor() as cursor:
        found: dict[str, list[str]] = {}
        for table in sorted(all_tables(database)):
            cursor.execute(f'SELECT t::text, xmin::text FROM "{table}" AS t')
            found[table] = sorted(map(str, cursor.fetchall()))
        cursor.execute(
            "SELECT relname, relkind::text, xmin::text FROM pg_class"
            " WHERE relnamespace = current_schema()::regnamespace ORDER BY 1"
        )
        return found, cursor.fetchall()


def assert_failed(
    result: Result, as_json: Result, code: str, exit_code: int, *, file: Path | None = None, line: int | None = None
) -> None:
    """One message on stderr and nothing on stdout, or one object on stdout, with the same facts in both."""
    assert (result.exit_code, as_json.exit_code) == (exit_code, exit_code), result.stderr + as_json.stdout
    assert result.stdout == ""
    assert "Traceback" not in result.stderr + as_json.stderr
    message = next(text for text in result.stderr.splitlines() if text.startswith("error: "))
    assert "hint: " in result.stderr
    answer = as_json.json()
    assert (answer["ok"], answer["exit_code"]) == (False, exit_code)
    error = answer["error"]
    assert error["code"] == code, error
    assert error["message"] and error["hint"]
    assert error["file"] == (None if file is None else str(file)), error
    assert error["line"] == line, error
    if file is not None:
        place = f"{file}:{line}: " if line is not None else f"{file}: "
        assert message.startswith(f"error: {place}")


def assert_refused(
    root: Path,
    database: Database,
    code: str,
    exit_code: int = 2,
    *,
    file: Path | None = None,
    line: int | None = None,
    commands: tuple[tuple[str, ...], ...] = (("apply",), ("status",)),
) -> None:
    """Each command is refused, in text and in JSON, and the database is what it was, down to the last byte."""
    before = footprint(database)
    for command in commands:
        result = maxwell_db(*command, database=database, sql=root)
        as_json = maxwell_db("--json", *command, database=database, sql=root)
        assert_failed(result, as_json, code, exit_code, file=file, line=line)
    assert footprint(database) == before


def applied(root: Path, database: Database, *arguments: str) -> list[str]:
    """Apply, and the ids of what that applied."""
    result = maxwell_db("--json", "apply", *arguments, database=database, sql=root)
    assert result.exit_code == 0, result.stdout + result.stderr
    return [each["id"] for each in result.json()["applied"]]


def states(root: Path, database: Database) -> dict[str, str]:
    """The state of each migration."""
    result = maxwell_db("--json", "status", database=database, sql=root)
    assert result.exit_code == 0, result.stdout
    return {each["id"]: each["state"] for each in result.json()["migrations"]}
