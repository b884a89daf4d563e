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
from runner.dialects.sqlite_guard import Guard, forget_statements
from runner.dialects.sqlite_journal import go_back, written_ahead
from runner.dialects.sqlite_objects import broken_objects, missing_parents
from runner.domain import sql
from runner.domain.migration import Dialect, Script
from runner.domain.outcome import Direction, Outcome
from runner.domain.url import DatabaseUrl
from runner.errors import ConnectionFailed, MigrationFailed, ViolationsFound
from runner.lock import POLL_SECONDS, SqliteHold, sqlite_lock

CACHE_KILOBYTES = 64_000  # at most, for the run; SQLite's own 2 MB do not hold the schema of a thousand tables
MANY_OBJECTS = 200  # of fewer they do, and what does not fit on the disk shows at the statement that writes it
#: A file from this size on is run in one call, which saves a call for each statement. A smaller one gains nothing.
LARGE = 50_000
#: From this one on only where all of it is ASCII: of any other text SQLite gets one more copy, and Python's is wider.
VERY_LARGE = 50_000_000

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
        self._objects = 0  # of the schema, roughly
        self._guard: Guard | None = None  # what saw the last file run; None: nothing did
        self._begun_by: Script | None = None  # the file that has begun the open transaction, and has run in it
        self._hold: SqliteHold | None = None
        super().__init__(url, connection)

    def execute(self, sql: str, params: Mapping[str, Any] | None = None) -> Any:
        """With times as yoyo writes them after an apply: ISO 8601 with a T."""
        # yoyo writes the parameters as SQLite reads them; its own way round the drivers looks at each statement anew.
        values = {
            name: value.isoformat() if isinstance(value, datetime) else value for name, value in (params or {}).items()
        }
        return self.connection.cursor().execute(sql, values)

    def begin(self) -> None:
        if self._begun_by is None:
            # Immediate: what is read before the first write is still true when it is written.
            self._patiently("BEGIN IMMEDIATE")
        self._in_transaction = True

    def commit(self) -> None:
        self._patiently("COMMIT")
        self._in_transaction, self._begun_by = False, None

    def rollback(self) -> None:
        self._begun_by = None
        super().rollback()

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
        with sqlite_lock(self.url.path, what, self.options.lock_wait, self.observer.waiting) as self._hold:
            if self._hold.journal is not None:  # a run died before it had put that back
                go_back(self.connection, self._hold.journal, self._hold.remember, self.observer.warning)
            yield

    @contextmanager
    def batched(self) -> Iterator[None]:
        assert self._hold is not None
        with written_ahead(self.connection, self._hold.remember, self.observer.warning):
            yield

    def _take_yoyo_row(self) -> int | None:
        """Look at it: whoever wants to write it has to wait for the open transaction, as for the row itself."""
        row = self.execute(f"SELECT pid FROM {self.lock_table_quoted}").fetchone()
        return None if row is None else int(row[0])

    def leave(self) -> None:
        """Nothing: the row was not written."""

    def run(self, migration: SqlMigration, direction: Direction, before_commit: BeforeCommit | None = None) -> Outcome:
        if not self._looked:
            # Once, and only for a run that has something to do: it reads every foreign key of the database.
            ((self._objects,),) = self.connection.execute("SELECT count(*) FROM sqlite_master").fetchall()
            self._known_orphans = self._orphans()
            self._known_broken = broken_objects(self.connection)
            self._known_missing = missing_parents(self.connection)
            self._looked = True
        self._objects += 1  # a migration makes one, say
        if self._objects > MANY_OBJECTS:
            self.connection.execute(f"PRAGMA cache_size = {-CACHE_KILOBYTES}")
        try:
            return super().run(migration, direction, before_commit)
        except ConnectionFailed as error:  # at the commit, mostly, of what this file wrote
            error.file = error.file or migration.script(direction).path
            raise

    def head_start(self, script: Script) -> None:
        """Run a file in one call that begins the transaction, too: Python's own would commit one that is open.

        Where that fails, nothing of it is left, and the file is run again, statement by statement, to say which failed.
        """
        if not _at_once(script):
            return
        connection = self.connection
        # To ask it takes a fifth of the time. Where no statement begins with a word that it refuses, nobody has to.
        guard = Guard(begun=False) if script.suspect else None
        try:
            connection.execute(f"PRAGMA busy_timeout = {int(POLL_SECONDS * 1000)}")
            connection.set_authorizer(guard.authorize if guard else None)
            connection.executescript(f"BEGIN IMMEDIATE;\n{script.text}")
        except (sqlite3.Error, sqlite3.Warning):
            connection.set_authorizer(None)
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            interruption.check()
        else:
            self._guard, self._begun_by = guard, script
        finally:
            connection.set_authorizer(None)
            connection.execute(f"PRAGMA busy_timeout = {int(BUSY_SECONDS * 1000)}")

    def run_script(self, script: Script) -> None:
        if self._begun_by is script:
            return
        connection = self.connection
        self._changes_before = connection.total_changes
        self._guard = Guard() if self._in_transaction else None
        connection.set_authorizer(self._guard.authorize if self._guard else None)
        try:
            self._run_statements(script)
        finally:
            connection.set_authorizer(None)

    def _run_statements(self, script: Script) -> None:
        connection = self.connection
        for statement in sql.sqlite_statements(script.text):
            interruption.check()
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
        guard = self._guard
        forget_statements(self.connection)
        if guard is None or guard.remade or self._known_broken:
            self._refuse_broken(script)
        # To look for a word in a large file takes longer than what it would save.
        in_question = _at_once(script) or _TAKES_AWAY.search(script.text)
        if (guard is None or guard.took_away) and in_question:
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
        if not orphans:
            self._known_orphans = orphans
            return
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


def _at_once(script: Script) -> bool:
    """Is a file run in one call?"""
    return len(script.text) >= LARGE and (len(script.text) < VERY_LARGE or script.text.isascii())
