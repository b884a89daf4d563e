"""PRAGMA foreign_keys does nothing in a migration, or outlives it."""

from __future__ import annotations

from collections.abc import Iterator

from runner.domain.sql import first_words
from runner.errors import FolderError
from runner.rules.model import Finding, Rule, Tree

RULE = Rule(
    id="MX304",
    name="pragma-foreign-keys",
    severity="error",
    problem=(
        "A file sets `PRAGMA foreign_keys`, or another pragma that changes the file or the connection. In "
        "a transaction SQLite ignores the first in silence, and a table rebuild that relied on it empties "
        "the child tables; outside one it outlives the migration."
    ),
    solution=("Remove it. Foreign keys are off while a migration runs, and are checked before it commits."),
    example=("PRAGMA foreign_keys = OFF;\nDROP TABLE notes;\n"),
)


def claims(error: FolderError) -> bool:
    """The folder's reader has found it, if the file runs in a transaction."""
    statement = error.statement or ""
    return error.code == "FORBIDDEN_STATEMENT" and first_words(statement, "sqlite", 1) == ["PRAGMA"]


def check(tree: Tree) -> Iterator[Finding]:
    for file in tree.chosen:
        if file.dialect == "postgres" or file.migration.transactional:
            continue
        for statement in file.statements:
            names = [word.strip("\"'`[]").upper() for word in statement.words[1:4]]
            if statement.starts("PRAGMA") and any(name.endswith("FOREIGN_KEYS") for name in names):
                yield file.finding(RULE, statement.start, "PRAGMA foreign_keys in a migration: it outlives it")
