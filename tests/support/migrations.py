"""Somebody's own small migrations, written by the tests that need them, and what the tool's tables say of them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.databases import Database
from tests.support.tool import Result, maxwell_db

LEDGER_COLUMNS = (
    "operation, migration_id, schema_version, revision, apply_sha256, rollback_sha256, apply_sql, rollback_sql, "
    "at_utc, duration_ms, username, hostname, tool_version, verify, log_id"
)


@dataclass(frozen=True)
class Folder:
    """A folder of migrations of one dialect, or of SQL that both understand."""

    path: Path

    def add(self, id: str, apply: str, rollback: str | None = "SELECT 1;\n", /, **directives: str) -> Path:
        """Write a pair (``rollback=None``: the apply file alone); the path of the apply file.

        The header is two lines and one for each directive: the first line of ``apply`` is the one after it.
        """
        self.path.mkdir(parents=True, exist_ok=True)
        lines = [f"-- What {id} is for.", *(f"-- {key.replace('_', '-')}: {text}" for key, text in directives.items())]
        file = self.path / f"{id}.sql"
        file.write_text("\n".join([*lines, "", apply]))
        if rollback is not None:
            (self.path / f"{id}.rollback.sql").write_text(rollback)
        return file

    def run(self, *arguments: str, database: Database, expect: int = 0) -> Result:
        """Run a command on a database with these migrations; it must end with the exit code ``expect``."""
        result = maxwell_db(*arguments, database=database, sql=self.path)
        assert result.exit_code == expect, f"exit code {result.exit_code}\n{result.stdout}\n{result.stderr}"
        return result

    def states(self, database: Database) -> dict[str, str]:
        """Each migration's state, as ``status`` has it."""
        answer = self.run("--json", "status", database=database).json()
        return {item["id"]: item["state"] for item in answer["migrations"]}

    def error(self, *arguments: str, database: Database, expect: int) -> dict[str, Any]:
        """The ``error`` object of a command that must fail with the exit code ``expect``."""
        error: dict[str, Any] = self.run("--json", *arguments, database=database, expect=expect).json()["error"]
        return error


AUTHOR, BOOK, PRICE = "001_author", "002_book", "003_price"


def library(parent: Path) -> Folder:
    """Three linked migrations that both dialects understand: authors, their books, a price for each book."""
    folder = Folder(parent / "library")
    folder.add(
        AUTHOR,
        "CREATE TABLE author (id INTEGER NOT NULL PRIMARY KEY, name VARCHAR(100) NOT NULL UNIQUE);\n"
        "INSERT INTO author (id, name) VALUES (1, 'Maren'), (2, 'Anselm');\n",
        "DROP TABLE author;\n",
        version="0.1.0",
        revision="one",
    )
    folder.add(
        BOOK,
        "CREATE TABLE book (\n    id INTEGER NOT NULL PRIMARY KEY,\n"
        "    author_id INTEGER NOT NULL REFERENCES author (id)\n);\n\nCREATE INDEX book_author ON book (author_id);\n",
        "DROP INDEX book_author;\n\nDROP TABLE book;\n",
        depends=AUTHOR,
        version="0.2.0",
        revision="two",
    )
    folder.add(
        PRICE,
        "ALTER TABLE book ADD COLUMN price INTEGER;\n",
        "ALTER TABLE book DROP COLUMN price;\n",
        depends=BOOK,
        version="0.3.0",
        revision="three",
    )
    return folder


def bookkeeping(database: Database) -> set[str]:
    """yoyo's tables and ours, as far as they are there."""
    if database.dialect == "sqlite":
        rows = database.query("SELECT name FROM sqlite_master WHERE type = 'table'")
    else:
        rows = database.query("SELECT tablename::text FROM pg_tables WHERE schemaname = current_schema()")
    return {name for (name,) in rows if name.startswith(("_yoyo", "yoyo_lock", "_maxwell"))}


def marks(database: Database) -> list[str]:
    """The ids that yoyo says are applied, in order of their names."""
    if "_yoyo_migration" not in bookkeeping(database):
        return []
    return [id for (id,) in database.query("SELECT migration_id FROM _yoyo_migration ORDER BY migration_id")]


def log(database: Database) -> list[tuple[str, str]]:
    """What yoyo's log says was done: operation and id, oldest first."""
    rows = database.query("SELECT operation, migration_id FROM _yoyo_log ORDER BY created_at_utc, id")
    return [(operation, id) for operation, id in rows]


def ledger(database: Database, operation: str = "apply") -> dict[str, dict[str, Any]]:
    """The ledger's rows of an operation, by id; the newest of each."""
    names = LEDGER_COLUMNS.split(", ")
    rows = database.query(f"SELECT {LEDGER_COLUMNS} FROM _maxwell_ledger ORDER BY at_utc")
    return {row[1]: dict(zip(names, row, strict=True)) for row in rows if row[0] == operation}


def held_locks(database: Database) -> list[tuple[Any, ...]]:
    """yoyo's lock row, if there is one: it would keep the next run out."""
    return database.query("SELECT pid FROM yoyo_lock") if "yoyo_lock" in bookkeeping(database) else []
