"""Protected databases: what loses data there needs more than a yes."""

from __future__ import annotations

from contextlib import closing
from typing import Any

from runner.dialects import tables
from runner.domain.migration import Dialect
from runner.operations.project import Project

SETTINGS = "_maxwell_settings"
_NAME = "protected"


def is_protected(project: Project) -> bool:
    """Does the database itself say that it is? Writes nothing."""
    if project.is_missing():
        return False
    # Whoever asks is about to write: what a program that died left half done may be rolled back.
    with project.connection() as connection:
        return is_marked(connection, project.url.dialect)


def protect(project: Project, on: bool) -> bool:
    """Put the mark into the database, or take it away; True if that changed anything."""
    with project.connection(what="protect") as connection:
        if is_marked(connection, project.url.dialect) == on:
            return False
        if on:
            mark(connection)
        else:
            with closing(connection.cursor()) as cursor:
                cursor.execute(f"DELETE FROM {SETTINGS} WHERE name = '{_NAME}'")
        return True


def mark(connection: Any) -> None:
    """Write the mark where there is none, the table with it."""
    with closing(connection.cursor()) as cursor:
        cursor.execute(
            f"CREATE TABLE IF NOT EXISTS {SETTINGS}"
            " (name VARCHAR(50) NOT NULL PRIMARY KEY, value VARCHAR(200) NOT NULL)"
        )
        cursor.execute(f"INSERT INTO {SETTINGS} (name, value) VALUES ('{_NAME}', 'true') ON CONFLICT DO NOTHING")


def is_marked(connection: Any, dialect: Dialect) -> bool:
    if SETTINGS not in tables(connection, dialect):
        return False
    with closing(connection.cursor()) as cursor:
        cursor.execute(f"SELECT 1 FROM {SETTINGS} WHERE name = '{_NAME}' AND value = 'true'")
        return cursor.fetchone() is not None
