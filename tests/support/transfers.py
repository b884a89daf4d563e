"""Two trees of migrations that belong together, a source with rows, and the command that takes them across."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.databases import Database, sqlite_database
from tests.support.folders import Folder
from tests.support.tool import Result, maxwell_db

ONE = "001_one"

#: One column of each sort that Maxwell has, and keys of each sort.
SQLITE_TABLES = """\
CREATE TABLE place (id TEXT PRIMARY KEY, name VARCHAR(20));
CREATE TABLE thing (
    id TEXT PRIMARY KEY,
    number INTEGER,
    name VARCHAR(10),
    body TEXT,
    at TIMESTAMP,
    done BOOLEAN,
    size FLOAT,
    place_id TEXT REFERENCES place (id),
    parent_id TEXT REFERENCES thing (id)
);
"""
POSTGRES_TABLES = """\
CREATE TABLE place (id VARCHAR(36) PRIMARY KEY, name VARCHAR(20));
CREATE TABLE thing (
    id VARCHAR(36) PRIMARY KEY,
    number INTEGER,
    name VARCHAR(10),
    body TEXT,
    at TIMESTAMP,
    done BOOLEAN,
    size DOUBLE PRECISION,
    place_id VARCHAR(36) REFERENCES place (id),
    parent_id VARCHAR(36) REFERENCES thing (id)
);
CREATE INDEX thing_place ON thing (place_id);
"""


@dataclass(frozen=True)
class Pair:
    """A tree with both dialects, and a source that stands at its newest version."""

    root: Path
    source: Path

    def add(self, id: str, sqlite: str, postgres: str, back: str = "SELECT 1;\n", *, header: str = "") -> None:
        """Another migration in both dialects; ``apply_source`` brings the source there."""
        Folder(self.root, "sqlite").pair(id, sqlite, back, header=header)
        Folder(self.root, "postgres").pair(id, postgres, back, header=header)

    def apply_source(self, target: str = "head") -> None:
        done = maxwell_db("apply", target, "--no-verify", database=f"sqlite:///{self.source}", sql=self.root)
        assert done.exit_code == 0, done.stderr

    def apply_target(self, database: Database, target: str = "head") -> None:
        done = maxwell_db("apply", target, "--no-verify", database=database, sql=self.root)
        assert done.exit_code == 0, done.stderr

    def run(self, *statements: str, values: tuple[Any, ...] = ()) -> None:
        """Change the source as any program may: without checks, and with whatever bytes it has."""
        with closing(sqlite3.connect(self.source, isolation_level=None)) as connection:
            for statement in statements:
                connection.execute(statement, values)

    def transfer(self, target: Database, *arguments: str, expect: int | None = 0) -> Result:
        result = maxwell_db(
            "transfer", "--from", f"sqlite:///{self.source}", "--to", target.url, *arguments, sql=self.root
        )
        assert expect is None or result.exit_code == expect, (
            f"{result.exit_code}\n{result.stdout[-1500:]}\n{result.stderr}"
        )
        return result

    def answer(self, target: Database, *arguments: str, expect: int | None = 0) -> dict[str, Any]:
        return self.transfer(target, "--json", *arguments, expect=expect).json()

    @property
    def database(self) -> Database:
        return sqlite_database(self.source)


def make_pair(folder: Path, sqlite: str = SQLITE_TABLES, postgres: str = POSTGRES_TABLES) -> Pair:
    """A tree whose one migration makes these tables, and a migrated source without rows."""
    pair = Pair(folder / "tree", folder / "source.db")
    pair.add(ONE, sqlite, postgres)
    pair.apply_source()
    return pair
