"""The backend of PostgreSQL: a file is sent whole, and tried again when it meets a lock."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from typing import Any

import psycopg2
from psycopg2.extensions import TRANSACTION_STATUS_IDLE, TRANSACTION_STATUS_INTRANS
from yoyo.backends.core.postgresql import PostgresqlBackend
from yoyo.utils import change_param_style

from runner import interruption
from runner.backend.common import FAILED_HINT, Backend, BeforeCommit
from runner.backend.records import utc_now
from runner.backend.steps import SqlMigration
from runner.dialects import postgres
from runner.dialects.postgres_indexes import concurrent_index, drop_index, index_state
from runner.domain import sql
from runner.domain.migration import Dialect, Script
from runner.domain.outcome import Direction, Outcome
from runner.domain.pieces import pieces
from runner.domain.url import DatabaseUrl
from runner.errors import MaxwellError, MigrationFailed
from runner.lock import take_postgres_lock

LOST_HINT = "The connection was lost, and with it what was running; the migrations before it stay. Run it again."
IN_DOUBT_HINT = (
    "The connection was lost while it committed: 'maxwell-db status' says whether it did. Look before going on."
)

#: What the server cannot take for a number, in a transaction that is not the one which was begun.
_ENDED = "maxwell-db: the transaction was ended"
PIECE = 500_000  # characters of a large file that are sent at once
DEAD_CLIENT_MILLISECONDS = 500  # after so long the server notices that a run was killed, and ends its statement


class PostgresBackend(Backend, PostgresqlBackend):  # type: ignore[misc]
    dialect: Dialect = "postgres"
    driver_module = "psycopg2"
    _waits_for_disk = True  # at each commit

    def __init__(self, url: DatabaseUrl, connection: Any) -> None:
        super().__init__(url, connection)
        self._transaction_id = 0
        self._file_began = False  # what fails before is not the file's fault
        self._script: Script | None = None  # the last one that ran
        self._bundle: list[bytes] | None = None  # statements that are sent together
        self._texts: dict[tuple[str, ...], str] = {}  # yoyo's statements with psycopg2's placeholders
        with closing(connection.cursor()) as cursor:
            cursor.execute("SHOW search_path")
            self._search_path = cursor.fetchone()[0]
            self._watch = ""
            if connection.server_version >= 140000:
                # Without it the statement of a killed run goes on to its end, and holds the run's lock until then.
                watch = f"SET client_connection_check_interval = {DEAD_CLIENT_MILLISECONDS}"
                with suppress(psycopg2.Error):  # not every system that PostgreSQL runs on can tell
                    cursor.execute(watch)
                    self._watch = watch

    def execute(self, sql: str, params: Mapping[str, Any] | None = None) -> Any:
        """As yoyo's, but keeps a statement for ``bundled``, and looks at the same one for its parameters only once."""
        cursor = self.cursor()
        query: str | bytes = sql
        if params:
            key = (sql, *params)
            if key not in self._texts:
                self._texts[key] = change_param_style("pyformat", sql, params)[0]
            query = cursor.mogrify(self._texts[key], params)
        if self._bundle is not None:
            self._bundle.append(query if isinstance(query, bytes) else query.encode())
        else:
            cursor.execute(query)
        return cursor

    @contextmanager
    def bundled(self) -> Iterator[None]:
        """In one round trip. What may be the commit is among them, so that a lost connection leaves a doubt."""
        in_transaction, self._bundle = self._in_transaction, []
        try:
            yield
            query = b"; ".join(self._bundle or [])
        finally:
            self._bundle = None
        committing, self._in_transaction = not self._in_transaction, in_transaction
        try:
            self.cursor().execute(query)
        except psycopg2.Error as error:
            self.in_doubt = committing and bool(self.connection.closed)
            if _ENDED in str(error):
                assert self._script is not None
                raise self._transaction_ended(self._script) from error
            raise
        self._in_transaction = not committing

    def begin(self) -> None:
        self._in_transaction = True
        self._transaction_id = self.execute(f"BEGIN; {self._set_timeouts()}; SELECT txid_current()").fetchone()[0]

    def begin_and_take_row(self) -> int | None:
        """In one round trip, unless somebody else has the row."""
        self._in_transaction = True
        row = {"when": utc_now(), "pid": os.getpid()}
        self._transaction_id, taken, holder = self.execute(
            f"BEGIN; {self._set_timeouts()}; WITH taken AS ({self._insert_row()} RETURNING pid)"
            f" SELECT txid_current(), (SELECT count(*) FROM taken), (SELECT max(pid) FROM {self.lock_table_quoted})",
            row,
        ).fetchone()
        return None if taken else holder or self._take_yoyo_row()

    def commit(self) -> None:
        try:
            self.execute("COMMIT")
        except psycopg2.Error:
            self.in_doubt = bool(self.connection.closed)  # the server may have done it, and its answer be lost
            raise
        self._in_transaction = False

    def _hint(self) -> str:
        """What is true of the database after an error, and what to do."""
        if self.in_doubt:
            return IN_DOUBT_HINT
        return LOST_HINT if self.connection.closed else FAILED_HINT

    def rollback(self) -> None:
        self.execute("ROLLBACK")
        self._in_transaction = False

    @contextmanager
    def disable_transactions(self) -> Iterator[None]:
        yield  # the connection commits by itself; yoyo would roll back first

    @contextmanager
    def run_lock(self, what: str) -> Iterator[None]:
        take_postgres_lock(self.connection, self.options.lock_wait, self.observer.waiting)
        yield  # released with the connection

    @contextmanager
    def batched(self) -> Iterator[None]:
        self._waits_for_disk = False
        try:
            yield
        except BaseException:
            with suppress(psycopg2.Error, MaxwellError):  # the first failure is what counts
                self._wait_for_the_disk()
            raise
        self._wait_for_the_disk()

    def _wait_for_the_disk(self) -> None:
        """A commit that is waited for brings those before it along; there has to be something to write."""
        self._waits_for_disk = True
        with self.holding():
            pass

    def run(self, migration: SqlMigration, direction: Direction, before_commit: BeforeCommit | None = None) -> Outcome:
        """As the base's; when it meets a lock, the whole migration is tried again, after a growing, jittered pause."""
        deadline = time.monotonic() + self.options.ddl_lock_timeout
        pause = 0.1
        nested = self._in_transaction  # what came before in the same transaction is lost with it
        while True:
            self._file_began = False
            try:
                return super().run(migration, direction, before_commit)
            except (MigrationFailed, psycopg2.Error) as error:
                left = deadline - time.monotonic()
                if nested or not migration.migration.transactional:
                    raise
                failure = self._as_failure(error, migration.script(direction))
                in_the_way = self._in_the_way() if failure.sqlstate == "55P03" else ""
                if not postgres.is_lock_trouble(failure) or left <= 0:
                    if not self._file_began:
                        raise _bookkeeping_failed(failure) from error
                    interruption.check()  # to find the statement takes seconds in a large file
                    if failure.line is None:
                        postgres.locate(self.connection, migration.script(direction), failure)
                    failure.message += in_the_way and f"\nLOCKS: {in_the_way}"
                    raise failure from error
                seconds = min(left, pause * random.uniform(0.5, 1.5))
                reason = failure.message.splitlines()[0] + (in_the_way and f"; {in_the_way}")
                interruption.check()
                self.observer.retrying(migration.id, reason, seconds)
                time.sleep(seconds)
                pause = min(pause * 2, 5.0)

    def run_script(self, script: Script) -> None:
        self._file_began, self._script = True, script
        if not self._in_transaction:
            self.execute(f"SET statement_timeout = {self._statement_milliseconds}")
        if self._in_transaction and len(script.text) > postgres.LARGE:
            for start, end in pieces(script.text, PIECE):
                self._send(script, script.text[start:end], start)
        else:
            # Whole and without parameters: nothing splits it, and '%' means itself.
            self._send(script, script.text, 0)

    def _send(self, script: Script, text: str, start: int) -> None:
        try:
            with closing(self.connection.cursor()) as cursor:
                cursor.execute(text)
        except psycopg2.Error as error:
            failure = postgres.statement_failed(error, script, self._hint(), start)
            if not self._in_transaction:
                postgres.locate(self.connection, script, failure)  # the file has one statement, so none is run again
            elif failure.line is None and len(script.text) > postgres.LARGE:
                failure.line = sql.line_of(script.text, start + len(text) - len(text.lstrip()))
                failure.message += "\nThe statement is on this line, or on one of those after it."
            raise failure from error

    def clear_the_way(self, script: Script) -> None:
        """Drop the invalid index that an earlier try left: it would be in the way, or be taken for done."""
        index = concurrent_index(script.text)
        if index is None or index.verb == "DROP":
            return
        state = index_state(self.connection, index)
        if state == "invalid":
            drop_index(self.connection, index)
        elif state == "building":
            raise MigrationFailed(
                f"the index {'.'.join(index.name)} is being built by somebody else",
                code="STATEMENT_FAILED",
                hint="Wait until that is over, and run the command again.",
                file=script.path,
            )

    def left_nothing(self, failure: MigrationFailed, script: Script) -> bool:
        """What the parser refused did nothing. An index that could not be built is left invalid, and is dropped here:
        else ``IF NOT EXISTS`` would take it for done next time."""
        if failure.refused_outright:
            return True
        if self.connection.closed or (index := concurrent_index(script.text)) is None or index.verb == "DROP":
            return False
        with suppress(psycopg2.Error):
            if index_state(self.connection, index) == "invalid":
                drop_index(self.connection, index)
            return index_state(self.connection, index) == "absent"
        return False

    def _as_failure(self, error: Exception, script: Script) -> MigrationFailed:
        """What the bookkeeping or the commit met (a deferred constraint, say) is a failure of the file too."""
        if isinstance(error, MigrationFailed):
            return error
        failure: MigrationFailed = postgres.statement_failed(error, script, self._hint())
        failure.line = failure.statement = None  # where it says that it is, is a place in our own statements
        return failure

    def _in_the_way(self) -> str:
        """Who holds locks on tables here, those with the longest transactions first; nothing where nobody does."""
        if self.connection.closed:
            return ""
        rows = self.execute(
            """
            SELECT coalesce(nullif(a.application_name, ''), 'a session'), a.pid, a.usename,
                   to_char(a.xact_start AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'),
                   left(regexp_replace(a.query, '[[:space:]]+', ' ', 'g'), 80)
            FROM pg_stat_activity AS a
            WHERE a.pid <> pg_backend_pid() AND a.datname = current_database() AND a.xact_start IS NOT NULL
              AND EXISTS (SELECT FROM pg_locks AS l WHERE l.pid = a.pid AND l.granted AND l.relation >= 16384)
            ORDER BY a.xact_start LIMIT 3
            """
        ).fetchall()
        held = ", ".join(
            f"{name}, server process {pid} of {user}, since {since}, with: {query}"
            for name, pid, user, since, query in rows
        )
        return f"tables are held by {held}" if held else ""

    def after_script(self, script: Script) -> None:
        """What a file SET would otherwise meet the bookkeeping, and the next file."""
        status = self.connection.info.transaction_status
        if status != (TRANSACTION_STATUS_INTRANS if self._in_transaction else TRANSACTION_STATUS_IDLE):
            raise self._transaction_ended(script)
        parts = [
            "RESET ALL",
            "RESET SESSION AUTHORIZATION",
            *filter(None, [self._watch]),
            "SELECT set_config('search_path', :path, false)",
        ]
        if self._in_transaction:
            # By its number a file is found out that ends its transaction and begins another.
            same = "SELECT CASE txid_current() WHEN :id THEN 0 ELSE (:ended || txid_current())::int END"
            parts += [self._set_timeouts(), same]
        values = {"path": self._search_path, "id": self._transaction_id, "ended": _ENDED}
        try:
            self.execute("; ".join(parts), values)
        except psycopg2.Error as error:
            if _ENDED in str(error):
                raise self._transaction_ended(script) from error
            raise

    def _set_timeouts(self) -> str:
        """For the open transaction. A lock that is not had in time is given up: others queue behind us no longer."""
        lock = int(min(self.options.ddl_lock_try, self.options.ddl_lock_timeout) * 1000)
        disk = "" if self._waits_for_disk else "; SET LOCAL synchronous_commit = off"
        return f"SET LOCAL lock_timeout = {lock}; SET LOCAL statement_timeout = {self._statement_milliseconds}{disk}"

    @property
    def _statement_milliseconds(self) -> int:
        return int(self.options.statement_timeout * 1000)

    def _transaction_ended(self, script: Script) -> MaxwellError:
        """The file committed what stood before it in the transaction: yoyo's row, too, which is given back here."""
        self._bundle = None  # nothing waits
        self.rollback()
        self.leave()
        return MaxwellError(
            "the migration ended the transaction that it ran in",
            code="TRANSACTION_ENDED",
            hint="Part of it may be committed, without its mark. Remove COMMIT and ROLLBACK from the file.",
            file=script.path,
        )


def _bookkeeping_failed(failure: MigrationFailed) -> MaxwellError:
    return MaxwellError(
        f"the bookkeeping tables cannot be written: {failure.message}",
        code="BOOKKEEPING_FAILED",
        hint="Nothing was changed. This role has to own _yoyo_*, yoyo_lock and _maxwell_ledger, or to write to them.",
    )
