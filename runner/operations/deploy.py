"""Ship what is pending: lock, look, back up, rehearse if told, apply, verify; and take the way back on failure."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from runner import __version__
from runner.backup.manifest import read_manifest
from runner.backup.store import Tested, write_tested
from runner.domain.deploy import DeployReport, OnFailure, Recovery, Rehearsal
from runner.domain.options import ApplyOptions
from runner.domain.outcome import Direction, Observer
from runner.errors import Interrupted, MaxwellError, UnfinishedError
from runner.operations.apply import apply, apply_locked, pending_up_to
from runner.operations.backup import utc_now, write_backup
from runner.operations.backups import restore_to_scratch
from runner.operations.checking import describe, row_loss
from runner.operations.preflight import examine_for_deploy, review_pending
from runner.operations.project import Project
from runner.operations.restore import RestoreOptions, restore
from runner.operations.rollback import rollback_locked
from runner.operations.run import Runner, locked
from runner.scratch import scratch_database
from verify.errors import VerifyError
from verify.model import VerifyReport


@dataclass(frozen=True)
class DeployOptions(ApplyOptions):
    """How to deploy."""

    on_failure: OnFailure = OnFailure.ROLLBACK
    backup: bool = True
    backup_dir: Path | None = None
    rehearse: bool = False
    scratch: str | None = None
    pg_bin: Path | None = None


def deploy(project: Project, target: str, options: DeployOptions, observer: Observer) -> DeployReport:
    """Bring the database up to ``target`` with a way back in hand, all of it under one lock.

    Nothing to do is no failure and makes no backup. Whatever fails before the first migration leaves the database as
    it was; a backup that fails is BackupFailed. What fails later is dealt with as ``on_failure`` says. An error that
    comes out carries, as ``deploy``, what was done.
    """
    started = time.perf_counter()
    standing = project.standing_or_empty()
    report = DeployReport(target, standing, standing)
    pending = pending_up_to(standing, target, options)
    if not pending:
        return report
    try:
        if project.is_missing():
            review_pending(project, pending)  # what is wrong with the files leaves no new database behind
        _Deploy(project, target, options, observer, report).run()
    except MaxwellError as error:
        error.deploy = report
        raise
    finally:
        with suppress(MaxwellError):  # the connection may be what failed
            report.after = project.standing_or_empty()
        report.duration_ms = round((time.perf_counter() - started) * 1000, 3)
    return report


class _Deploy:
    """One deploy, which fills its report as it goes."""

    def __init__(
        self, project: Project, target: str, options: DeployOptions, observer: Observer, report: DeployReport
    ) -> None:
        self.project = project
        self.target = target
        self.options = options
        self.observer = observer
        self.report = report
        self._rows_before: dict[str, int] = {}

    def run(self) -> None:
        created = self.project.is_missing()
        failure: MaxwellError | None = None
        with (
            self.project.connection(create=True, what="deploy", observer=self.observer) as connection,
            locked(self.project, connection, self.options, self.observer, "deploy", prepare=False) as run,
        ):
            if not self._prepare(connection, created):
                return
            rows = self._rows_before or _rows(connection, self.project)
            run.backend.prepare()
            try:
                self.report.run = apply_locked(run, self.target, self.options, created=created)
            except MaxwellError as error:
                failure = error
            except VerifyError as error:  # a check of the user's own that cannot run: nobody knows what was broken
                failure = MaxwellError(
                    error.message, code=error.code, hint=error.hint, file=error.file, line=error.line
                )
                failure.outcomes = tuple(run.outcomes)
            if failure is not None:
                failure.message += self._recover_by_rollback(run, failure)
            self.report.rows = _beside(rows, _rows(connection, self.project))
        # PostgreSQL: only a database that nobody is connected to can be replaced, not even this run.
        if failure is not None:
            self._recover_by_restore(failure)
            raise failure

    def _prepare(self, connection: Any, created: bool) -> bool:
        """All that comes before the first write; False if another run has done it all by now."""
        self.report.before = self.report.after = standing = self.project.standing(connection)
        pending = pending_up_to(standing, self.target, self.options)
        if not pending:
            return False
        backup = self.options.backup and not created
        self.report.warnings = review_pending(self.project, pending)
        for warning in self.report.warnings:
            self.observer.step(f"warning: {warning}")
        self.report.preflight = examine_for_deploy(
            self.project, backup=backup, backup_dir=self.options.backup_dir, pg_bin=self.options.pg_bin
        )
        if backup:
            self._back_up(connection)
            if self.options.rehearse:
                self.report.rehearsal = self._rehearse()
        self.report.way_back = tuple(self._ways_back())
        return True

    def _back_up(self, connection: Any) -> None:
        made = write_backup(
            self.project, connection, self.observer, folder=self.options.backup_dir, pg_bin=self.options.pg_bin
        )
        assert made.manifest is not None
        self.report.backup, self.report.backup_bytes = made.file, made.manifest.size
        self._rows_before = _without_bookkeeping(made.manifest.rows)

    def _rehearse(self) -> Rehearsal:
        """The whole deploy on a scratch copy made from the new backup, which proves that too."""
        file = self.report.backup
        assert file is not None
        manifest = read_manifest(file)
        self.observer.step("rehearsing on a copy made from the backup")
        with scratch_database(self.project.url, scratch=self.options.scratch) as url:
            restore_to_scratch(url, file, manifest, self.observer, self.options.pg_bin)
            write_tested(file, Tested(utc_now(), True, manifest.sha256, __version__))
            copy = Project(url, self.project.sql, self.project.checks)
            try:
                run = apply(copy, self.target, self.options, Observer())
            except Interrupted:
                raise
            except MaxwellError as error:
                error.message = f"the rehearsal failed, and the database was not touched: {error.message}"
                error.hint = "Correct it, and deploy again."
                error.outcomes = ()
                raise
        rehearsal = Rehearsal(run.outcomes, run.verify)
        self.observer.step(f"rehearsed: the real one will hold locks for about {rehearsal.locked_ms:.0f} ms")
        return rehearsal

    def _ways_back(self) -> list[str]:
        """The commands that lead back to where the database stands now."""
        before = self.report.before
        place = before.applied[-1].id if before.applied else "base"
        ways = [f"maxwell-db rollback {place}"]
        if self.report.backup is not None:
            ways.append(f"maxwell-db restore {self.report.backup}")
        return ways

    def _recover_by_rollback(self, run: Runner, failure: MaxwellError) -> str:
        """Take back what was committed, if that was asked for; what to add to the failure's message."""
        committed = failure.outcomes
        if isinstance(failure, Interrupted) or self.options.on_failure is not OnFailure.ROLLBACK:
            return ""
        if isinstance(failure, UnfinishedError):
            self.report.recovery = Recovery(OnFailure.ROLLBACK, problem="what is unfinished cannot be rolled back")
            failure.hint = f"{failure.hint} {self._offer()}"
            return ""
        if not committed:
            self.report.recovery = Recovery(OnFailure.ROLLBACK)
            failure.hint = "The database is as it was before. Correct it, and deploy again."
            return ""
        place = self.report.before.applied[-1].id if self.report.before.applied else "base"
        self.observer.step(f"failed: rolling back to {place}")
        run.outcomes.clear()
        try:
            back = rollback_locked(run, place, None)
        except MaxwellError as error:
            done = () if error.outcomes == committed else error.outcomes
            self.report.recovery = Recovery(OnFailure.ROLLBACK, done, error.message)
            failure.hint = self._offer()
            return f"\nrolling back to {place} failed, too: {error.message}"
        left = _still_broken(run.baseline, back.verify)
        self.report.recovery = Recovery(OnFailure.ROLLBACK, back.outcomes, left)
        failure.outcomes = ()
        if left is not None:
            failure.hint = self._offer()
            return f"\nrolled back to {place}, and still the data are not what they were: {left}"
        failure.hint = "What this deploy had committed is rolled back. Correct it, and deploy again."
        return f"\nrolled back to {place}"

    def _recover_by_restore(self, failure: MaxwellError) -> None:
        """Put the backup back, if that was asked for."""
        if isinstance(failure, Interrupted) or self.options.on_failure is OnFailure.ROLLBACK:
            return
        if self.options.on_failure is OnFailure.STOP or self.report.backup is None:
            failure.hint = f"{failure.hint or ''} {self._offer()}".strip()
            return
        self.observer.step(f"failed: restoring {self.report.backup}")
        options = RestoreOptions(disconnect=True, lock_wait=self.options.lock_wait, pg_bin=self.options.pg_bin)
        try:
            restore(self.project, self.report.backup, options, self.observer)
        except MaxwellError as error:
            self.report.recovery = Recovery(OnFailure.RESTORE, problem=error.message)
            failure.message += f"\nrestoring the backup failed, too: {error.message}"
            failure.hint = f"The backup is there; {error.hint}"
            return
        self.report.recovery = Recovery(OnFailure.RESTORE)
        failure.message += f"\nrestored the backup {self.report.backup}"
        failure.outcomes = ()
        failure.hint = "The database is what it was before this deploy. Correct it, and deploy again."

    def _offer(self) -> str:
        if self.report.backup is None:
            return "There is no backup of this deploy."
        return f"The backup leads back: maxwell-db restore {self.report.backup}"


def _still_broken(before: VerifyReport | None, after: VerifyReport | None) -> str | None:
    """What the checks find after the way back that they did not find before the deploy."""
    if before is None or after is None:
        return None
    loss = row_loss(before.counts, after.counts, Direction.ROLLBACK, ())
    new = replace(after, checks=(*after.checks, loss)).new_since(before)
    return describe(new) if new.failed("error") else None


def _rows(connection: Any, project: Project) -> dict[str, int]:
    """Rows of the user's tables; none where they cannot be counted any more."""
    if project.url.dialect == "sqlite":
        from runner.backup.sqlite import count_rows
    else:
        from runner.backup.postgres import count_rows
    try:
        return _without_bookkeeping(count_rows(connection))
    except connection.Error:
        return {}


def _without_bookkeeping(rows: Mapping[str, int]) -> dict[str, int]:
    return {name: count for name, count in rows.items() if not name.startswith(("_yoyo_", "_maxwell_"))}


def _beside(before: Mapping[str, int], after: Mapping[str, int]) -> dict[str, tuple[int | None, int | None]]:
    return {table: (before.get(table), after.get(table)) for table in sorted(before.keys() | after.keys())}
