"""The backend of SQLite: statement by statement, foreign keys off, and checked before the commit."""

from __future__ import annotations

import re
import sqlite3
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from yoyo.backends.core.sqlite3 import SQLiteBackend

from runner import interruption
from runner.backend.common import FAILED_HINT, Backend, BeforeCommit
from runner.backend.steps import SqlMigration
from runner.dialects.sqlite import BUSY_SECONDS, translate
from runner.dialects.sqlite_guard import authorize_migration
from runner.dialects.sqlite_objects import broken_objects, missing_parents
from runner.domain import sql
from runner.domain.migration import Dialect, Script
from runner.domain.outcome import Direction, Outcome
from runner.domain.url import DatabaseUrl
from runner.errors import MigrationFailed, ViolationsFound
from runner.lock import POLL_SECONDS, sqlite_lock

_TAKES_AWAY = re.compile(r"\b(?:DROP|RENAME)\b", re.IGNORECASE)  # only such a statement leaves a key without its table


class SqliteBackend(Backend, SQLiteBackend):  # type: ignore[misc]
    dialect: Dialect = "sqlite"
    driver_module = "sqlite3"

    def __init__(self, url: DatabaseUrl, connection: Any) -> None:
        # What was wrong before does not count against a migration.
        self._looked = False
        self._known_missing: frozenset[tuple[str, str]] = frozenset()
        self._known_broken: dict[str, str] = {}
        self._known_orphans: Counter[tuple[Any, ...]] = Counter()
        self._changes_before = 0
        super().__init__(url, connection)

    def execute(self, sql: str, params: Mapping[str, Any] | None = None) -> Any:
        """With times as yoyo writes them after an apply: ISO 8601 with a T."""
        if params:
            params = {
                name: value.isoformat() if isinstance(value, datetime) else value for name, value in params.items()
            }
        return super().execute(sql, params)

    def begin(self) -> None:
        # Immediate: what is read before the first write is still true when it is written.
        self._patiently("BEGIN IMMEDIATE")
        self._in_transaction = True

    def commit(self) -> None:
        self._patiently("COMMIT")
        self._in_transaction = False

    def _patiently(self, statement: str) -> None:
        """Run what may have to wait for another program. The wait is ours, not SQLite's, so that a signal ends it."""
        deadline = time.monotonic() + BUSY_SECONDS
        self.connection.execute(f"PRAGMA busy_timeout = {int(POLL_SECONDS * 1000)}")
        try:
            while True:
                try:
                    self.connection.execute(statement)
                    return
                except sqlite3.Error as error:
                    if getattr(error, "sqlite_errorname", "") != "SQLITE_BUSY" or time.monotonic() > deadline:
                        assert self.url.path is not None
                        raise translate(error, self.url.path) from error
                interruption.check()
        finally:
            self.connection.execute(f"PRAGMA busy_timeout = {int(BUSY_SECONDS * 1000)}")

    @contextmanager
    def run_lock(self, what: str) -> Iterator[None]:
        assert self.url.path is not None
        with sqlite_lock(self.url.path, what, self.options.lock_wait, self.observer.waiting):
            yield

    def run(self, migration: SqlMigration, direction: Direction, before_commit: BeforeCommit) -> Outcome:
        if not self._looked:
            # Once, and only for a run that has something to do: it reads every foreign key of the database.
            self._known_orphans = self._orphans()
            self._known_broken = broken_objects(self.connection)
            self._known_missing = missing_parents(self.connection)
            self._looked = True
        return super().run(migration, direction, before_commit)

    def run_script(self, script: Script) -> None:
        connection = self.connection
        self._changes_before = connection.total_changes
        if self._in_transaction:
            connection.set_authorizer(authorize_migration)
        try:
            self._run_statements(script)
        finally:
            connection.set_authorizer(None)

    def _run_statements(self, script: Script) -> None:
        connection = self.connection
        for statement in sql.sqlite_statements(script.text):
            try:
                # Rows are stepped through, so that a statement is finished, and shown to nobody.
                for _ in connection.execute(statement.text):
                    pass
            except (sqlite3.Error, sqlite3.Warning) as error:
                refused = getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_AUTH
                raise MigrationFailed(
                    str(error),
                    code="FORBIDDEN_STATEMENT" if refused else "STATEMENT_FAILED",
                    hint=FAILED_HINT,
                    file=script.path,
                    line=sql.line_of(script.text, statement.start),
                    statement=statement.text,
                ) from error

    def after_script(self, script: Script) -> None:
        """Foreign keys were off, and SQLite looks at views and triggers only when they are used: what the migration
        orphaned or broke is found before it can be committed."""
        self._refuse_broken(script)
        if _TAKES_AWAY.search(script.text):
            self._refuse_missing_parents(script)
        self._refuse_orphans(script)

    def _refuse_broken(self, script: Script) -> None:
        broken = broken_objects(self.connection)
        for name in broken.keys() - self._known_broken.keys():
            raise MigrationFailed(
                f"the migration leaves {name} unusable: {broken[name]}",
                code="BROKEN_OBJECT",
                hint="It was rolled back. Drop the trigger or the view in the same migration, and make it anew.",
                file=script.path,
            )
        self._known_broken = broken

    def _refuse_missing_parents(self, script: Script) -> None:
        missing = missing_parents(self.connection)
        for child, parent in sorted(missing - self._known_missing):
            raise MigrationFailed(
                f"the migration leaves {child} with a foreign key to {parent}, which is not there",
                code="BROKEN_OBJECT",
                hint="It was rolled back. To rebuild a table, make the new one under another name, copy, drop the old "
                "one, and rename the new one: a RENAME of the old one takes the references along.",
                file=script.path,
            )
        self._known_missing = missing

    def _refuse_orphans(self, script: Script) -> None:
        orphans = self._orphans()
        before = Counter((child, parent) for child, _, parent, _ in self._known_orphans.elements())
        after = Counter((child, parent) for child, _, parent, _ in orphans.elements())
        grown = {pair for pair, count in after.items() if count > before[pair]}
        if grown:
            fresh = (orphans - self._known_orphans).elements()
            new = sorted((row for row in fresh if (row[0], row[2]) in grown), key=lambda row: str(row))
            shown = "; ".join(f"{child} rowid {rowid} has no parent in {parent}" for child, rowid, parent, _ in new[:5])
            raise ViolationsFound(
                f"the migration leaves {len(new)} row(s) without a parent: {shown}",
                code="FOREIGN_KEY_VIOLATION",
                hint="It was rolled back; nothing of it remains. Correct the file, or the data, and apply again.",
                file=script.path,
            )
        self._known_orphans = orphans

    def left_nothing(self, failure: MigrationFailed, script: Script) -> bool:
        """A statement of SQLite's is all or nothing, but for what INSERT OR FAIL keeps."""
        return bool(self.connection.total_changes == self._changes_before)

    def _orphans(self) -> Counter[tuple[Any, ...]]:
        """Counted, because the rows of a table without rowids all look the same here."""
        try:
            return Counter(self.connection.execute("PRAGMA foreign_key_check").fetchall())
        except sqlite3.OperationalError:
            return Counter()  # a key that fits no parent; verify names it
