"""What the backends of both dialects have in common, over yoyo's backend of either."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from yoyo import internalmigrations
from yoyo.migrations import Migration as YoyoMigration
from yoyo.migrations import default_migration_table

from runner import ledger
from runner.backend.records import PRESENT_ROW, Records, new_log_id, utc_now
from runner.backend.steps import SqlMigration
from runner.dialects import tables
from runner.domain.migration import Dialect, Migration, Script
from runner.domain.options import RunOptions
from runner.domain.outcome import Direction, Observer, Outcome
from runner.domain.url import DatabaseUrl
from runner.errors import SETTLE_HINT, MigrationFailed, UnfinishedError
from runner.lock import poll

BeforeCommit = Callable[[], bool | None]  # may raise; returns whether the checks passed, None where none ran

FAILED_HINT = "It was rolled back; the migrations before it stay. Correct the file and run the command again."


class Backend(Records):
    """What both dialects have in common, over yoyo's backend of either.

    Driver errors of a migration's own statements leave as MigrationFailed, with file, line and statement.
    """

    dialect: Dialect
    _in_transaction: bool
    has_transactional_ddl = True  # yoyo probes for it with a table of its own, and is misled by a missing privilege

    #: Was the connection lost during a COMMIT, so that nobody knows whether it was done?
    in_doubt = False

    def __init__(self, url: DatabaseUrl, connection: Any) -> None:
        self.url = url
        self._given = connection
        self.options, self.observer = RunOptions(), Observer()
        super().__init__(url, default_migration_table)

    # What yoyo asks of a backend, answered for one connection and one transaction.

    def connect(self, dburi: DatabaseUrl) -> Any:
        return self._given

    def init_connection(self, connection: Any) -> None:
        """Nothing: the connection came ready."""

    def list_tables(self, **kwargs: Any) -> list[str]:
        return sorted(tables(self.connection, self.dialect))

    @contextmanager
    def lock(self, timeout: float = 10) -> Iterator[None]:
        """The run's own lock is held already; yoyo's row would outlive a killed run."""
        yield

    @contextmanager
    def transaction(self, rollback_on_exit: bool = False) -> Iterator[None]:
        """A transaction; within one, nothing: the outermost is the only one, and there are no savepoints."""
        if self._in_transaction:
            yield
            return
        self.begin()
        try:
            yield
            if rollback_on_exit:
                self.rollback()
            else:
                self.commit()
        except BaseException:
            self._abandon()
            raise

    @contextmanager
    def holding(self) -> Iterator[None]:
        """A transaction that keeps a plain ``yoyo`` out; it may be committed within. LockTimeout as from ``enter``."""
        try:
            self.enter()
            yield
            if self._in_transaction:
                self.leave()
                self.commit()
        except BaseException:
            self._abandon()
            raise

    def _abandon(self) -> None:
        if not self._in_transaction:
            return
        try:
            self.rollback()
        except self.driver.Error:
            self._in_transaction = False  # the connection is gone, and the transaction with it

    # What the operations ask.

    def configure(self, options: RunOptions, observer: Observer) -> None:
        """How long to wait for whom, and whom to tell."""
        self.options, self.observer = options, observer

    def prepare(self) -> None:
        """Make the bookkeeping tables that are missing. Only under the run's lock: yoyo's own way races here."""
        present = self.list_tables()
        if not {self.lock_table, self.version_table, self.migration_table, ledger.LEDGER} <= set(present):
            with self.transaction():  # one, where yoyo's own way commits after each table
                if self.lock_table not in present:
                    self.execute(self.format_sql(self.create_lock_table_sql))
                internalmigrations.upgrade(self)
                if ledger.LEDGER not in present:
                    self.execute(ledger.CREATE_LEDGER)
        if ledger.LEDGER in present and self.has_old_ledger():
            with self.transaction():
                for column in ledger.ADDED_COLUMNS:
                    self.execute(f"ALTER TABLE {ledger.LEDGER} ADD COLUMN {column} VARCHAR(100)")
        self._internal_schema_updated = True

    def has_old_ledger(self) -> bool:
        """Was the ledger made by an earlier version, which had fewer columns?"""
        return ledger.is_old(self.connection, self.dialect)

    def run(self, migration: SqlMigration, direction: Direction, before_commit: BeforeCommit | None = None) -> Outcome:
        """Apply or roll back one migration with its mark, log and ledger rows: all of it, or nothing."""
        if migration.migration.transactional:
            return self._run_in_transaction(migration, direction, before_commit)
        return self._run_alone(migration, direction)

    def _run_in_transaction(
        self, migration: SqlMigration, direction: Direction, before_commit: BeforeCommit | None
    ) -> Outcome:
        nested = self._in_transaction  # --single-transaction: yoyo's row is taken and given back by the whole
        script, passed = migration.script(direction), None
        started = time.perf_counter()
        if not nested:
            self.head_start(script)
        with self.transaction() if nested else self.holding():
            migration.process_steps(self, str(direction))
            if before_commit is not None:
                self.after_script(script)
                passed = before_commit()
            milliseconds = _milliseconds(started)
            with self.bundled():
                if before_commit is None:
                    self.after_script(script)
                self.record(migration, direction, milliseconds, passed)
                if not nested:
                    self.leave()
                    self.commit()
        return Outcome(migration.id, milliseconds)

    def _run_alone(self, migration: SqlMigration, direction: Direction) -> Outcome:
        """One statement that cannot run in a transaction. A row before it tells of it if the run dies inside."""
        started = time.perf_counter()
        self.clear_the_way(migration.script(direction))
        with self.holding():
            journal = self.ledger_row(migration.migration, "unfinished", None, None)
            journal |= {"log_id": new_log_id(), "at_utc": utc_now()}
            self.insert_ledger(journal)
        try:
            migration.process_steps(self, str(direction))
        except MigrationFailed as failure:
            if not self.left_nothing(failure, migration.script(direction)):
                raise UnfinishedError(
                    failure.message,
                    code="UNFINISHED",
                    hint=SETTLE_HINT,
                    file=failure.file,
                    line=failure.line,
                    statement=failure.statement,
                ) from failure
            self.forget_unfinished([migration.id])  # nothing was done, and there is nothing to settle
            raise
        milliseconds = _milliseconds(started)
        with self.transaction():
            self.after_script(migration.script(direction))
            self.forget_unfinished([migration.id])
            self.record(migration, direction, milliseconds, None)
        return Outcome(migration.id, milliseconds)

    def realign(self, migration: Migration) -> None:
        """Record the texts that the files have now as those that were applied."""
        row = self.ledger_row(migration, "apply", None, None)
        columns = ("apply_sha256", "rollback_sha256", "apply_sql", "rollback_sql", *ledger.ADDED_COLUMNS)
        with self.holding():
            self.execute(
                f"UPDATE {ledger.LEDGER} SET {', '.join(f'{column} = :{column}' for column in columns)}"
                f" WHERE {PRESENT_ROW}",
                {column: row[column] for column in columns} | {"id": migration.id},
            )

    def stamp(self, mark: Sequence[str], unmark: Sequence[str], settled: Sequence[str]) -> None:
        """Record ids as applied, and as not applied, in one transaction, without running anything.

        ``settled`` died outside a transaction, and are no longer told of.
        """
        with self.holding():
            # What yoyo has to know of a migration in order to mark it is its id.
            for id in unmark:
                self.unmark_one(YoyoMigration(id, "", ""))
            for id in mark:
                self.mark_one(YoyoMigration(id, "", ""))
            self.forget_unfinished(settled)

    def enter(self) -> None:
        """Take yoyo's row, inside the transaction that gives it back, which is begun where none is open: a plain
        ``yoyo`` is kept out, and no death leaves the row behind. Where one holds it, wait; LockTimeout when that is
        over."""

        def attempt() -> str | None:
            pid = self._take_yoyo_row() if self._in_transaction else self.begin_and_take_row()
            if pid is not None:
                # Wait outside a transaction: on SQLite it would keep the other from giving its row back.
                self.rollback()
                return f"a plain yoyo run, pid {pid} (if it is dead: yoyo break-lock)"
            return None

        poll(attempt, self.options.lock_wait, self.observer.waiting)

    def leave(self) -> None:
        self.execute(f"DELETE FROM {self.lock_table_quoted} WHERE pid = :pid", {"pid": os.getpid()})

    def begin_and_take_row(self) -> int | None:
        """Begin a transaction, and take yoyo's row in it. None: taken. Else the pid that has it."""
        self.begin()
        return self._take_yoyo_row()

    def _take_yoyo_row(self) -> int | None:
        """None: taken. Else the pid that has it."""
        # What was inserted counts, and not whose pid it is: containers give the same few to everybody.
        row = {"when": utc_now(), "pid": os.getpid()}
        while self.execute(self._insert_row(), row).rowcount != 1:
            holders = self.execute(f"SELECT pid FROM {self.lock_table_quoted}").fetchall()
            if holders:  # else it was given back just now
                return int(holders[0][0])
        return None

    def _insert_row(self) -> str:
        return (
            f"INSERT INTO {self.lock_table_quoted} (locked, ctime, pid) VALUES (1, :when, :pid) ON CONFLICT DO NOTHING"
        )

    # What the dialects answer differently.

    @contextmanager
    def run_lock(self, what: str) -> Iterator[None]:
        """Hold the database for a run, whose verb is ``what``. LockTimeout when the wait for another one is over."""
        raise NotImplementedError

    @contextmanager
    def batched(self) -> Iterator[None]:
        """Within it commits need not wait for the disk; at its end all of them are there. Only under ``run_lock``.

        A crash of the machine within it may take back the last of them, each whole.
        """
        raise NotImplementedError

    def head_start(self, script: Script) -> None:
        """Before the transaction of a file is begun: where it pays, begin it here, and run the file in it."""

    @contextmanager
    def bundled(self) -> Iterator[None]:
        """Within it, statements whose answers nobody reads may be kept, and sent together at its end."""
        yield

    def run_script(self, script: Script) -> None:
        """Run a whole file in the open transaction."""
        raise NotImplementedError

    def after_script(self, script: Script) -> None:
        """See that the file left transaction and session as they were."""
        raise NotImplementedError

    def clear_the_way(self, script: Script) -> None:
        """Before a statement outside a transaction is begun: take away what an earlier try of it left."""

    def left_nothing(self, failure: MigrationFailed, script: Script) -> bool:
        """Is it sure that a statement which failed outside a transaction has left nothing, or nothing any more?"""
        raise NotImplementedError


def _milliseconds(started: float) -> float:
    return round((time.perf_counter() - started) * 1000, 3)
