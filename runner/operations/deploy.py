"""Ship what is pending: lock, look, back up, rehearse if told, apply, verify; and take the way back on failure."""

from __future__ import annotations

import shlex
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from runner import __version__
from runner.backup.manifest import read_manifest
from runner.backup.store import Tested, write_tested
from runner.domain.deploy import DeployOptions, DeployReport, Rehearsal
from runner.domain.outcome import Observer
from runner.domain.state import MigrationStatus
from runner.errors import Interrupted, MaxwellError, ViolationsFound
from runner.operations.apply import apply, apply_locked, pending_up_to
from runner.operations.backup import utc_now, write_backup
from runner.operations.backups import restore_to_scratch
from runner.operations.preflight import examine_for_deploy, review_pending
from runner.operations.project import Project
from runner.operations.recovery import Recoverer
from runner.operations.rows import beside, count_rows, users_own
from runner.operations.run import locked
from runner.scratch import scratch_database
from verify.errors import VerifyError


def deploy(project: Project, target: str, options: DeployOptions, observer: Observer) -> DeployReport:
    """Bring the database up to ``target`` with a way back in hand, all of it under one lock.

    Nothing to do is no failure and makes no backup. Whatever fails before the first migration leaves the database as
    it was; a backup that fails is BackupFailed. What fails later is dealt with as ``on_failure`` says. An error that
    comes out carries, as ``deploy``, what was done.
    """
    started = time.perf_counter()
    standing = project.standing_or_empty()
    report = DeployReport(target, standing, standing)
    try:
        pending = pending_up_to(standing, target, options)
        if not pending:
            return report
        if project.is_missing():
            review_pending(project, pending)  # what is wrong with the files leaves no new database behind
        _Deploy(project, target, options, observer, report).run()
    except MaxwellError as error:
        error.deploy = report
        if isinstance(error, ViolationsFound):
            report.verify = error.report
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
        recoverer = Recoverer(self.project, self.options, self.observer, self.report)
        failure: MaxwellError | None = None
        with (
            self.project.connection(create=True, what="deploy", observer=self.observer) as connection,
            locked(self.project, connection, self.options, self.observer, "deploy", prepare=False) as run,
        ):
            if not self._prepare(connection, created):
                return
            rows = self._rows_before or count_rows(self.project, connection)
            run.backend.prepare()
            try:
                self.report.run = apply_locked(run, self.target, self.options, created=created)
                self.report.verify = self.report.run.verify
            except MaxwellError as error:
                failure = error
            except VerifyError as error:
                failure = _unverified(error)
                failure.outcomes = tuple(run.outcomes)
            except connection.Error as error:  # between two statements, by the server's end, say
                failure = MaxwellError(" ".join(str(error).split()), code="DATABASE_ERROR", hint=None)
                failure.outcomes = tuple(run.outcomes)
            if failure is None:
                self.report.rows = beside(rows, count_rows(self.project, connection))
            else:
                recoverer.roll_back(run, failure)
        if failure is None:
            return
        # PostgreSQL: only a database that nobody is connected to can be replaced, not even this run.
        recoverer.restore(failure)
        with suppress(MaxwellError), self.project.connection(read_only=True) as connection:
            self.report.rows = beside(rows, count_rows(self.project, connection))
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
            self.observer.warning(warning)
        self.report.preflight = examine_for_deploy(
            self.project, backup=backup, backup_dir=self.options.backup_dir, pg_bin=self.options.pg_bin
        )
        if backup:
            self._back_up(connection)
            if self.options.rehearse:
                self.report.rehearsal = self._rehearse()
        self.report.way_back = tuple(self._ways_back(pending))
        return True

    def _back_up(self, connection: Any) -> None:
        made = write_backup(
            self.project, connection, self.observer, folder=self.options.backup_dir, pg_bin=self.options.pg_bin
        )
        assert made.manifest is not None
        self.report.backup, self.report.backup_bytes = made.file, made.manifest.size
        self._rows_before = users_own(made.manifest.rows)

    def _rehearse(self) -> Rehearsal:
        """The whole deploy on a scratch copy made from the new backup, which proves that too."""
        file = self.report.backup
        assert file is not None
        manifest = read_manifest(file)
        self.observer.step("rehearsing on a copy made from the backup")
        with scratch_database(self.project.url, scratch=self.options.scratch) as url:
            restore_to_scratch(url, file, manifest, self.observer, self.options.pg_bin)
            write_tested(file, Tested(utc_now(), True, manifest.sha256, __version__))
            self.observer.step("restored; applying there")
            copy = Project(url, self.project.sql, self.project.checks)
            try:
                run = apply(copy, self.target, self.options, Observer())
            except Interrupted:
                raise
            except (MaxwellError, VerifyError) as error:
                failure = _unverified(error) if isinstance(error, VerifyError) else error
                failure.message = f"the rehearsal failed, and the database was not touched: {failure.message}"
                failure.hint = "Correct it, and deploy again."
                failure.outcomes = ()
                raise failure from error
        rehearsal = Rehearsal(run.outcomes, run.verify)
        self.observer.step(f"rehearsed: the real one will hold locks for about {rehearsal.locked_ms:.0f} ms")
        return rehearsal

    def _ways_back(self, pending: Sequence[MigrationStatus]) -> list[str]:
        """The commands that lead back to where the database stands now."""
        before = self.report.before
        newer = all(item.id > one.id for item in pending for one in before.applied)  # else it takes back others, too
        reversible = newer and all(item.reversible for item in pending)
        ways = [f"{self.options.program} rollback {before.newest}"] if reversible else []
        if self.report.backup is not None:
            ways.append(f"{self.options.program} restore {shlex.quote(str(self.report.backup))}")
        return ways


def _unverified(error: VerifyError) -> MaxwellError:
    """A check of the user's own cannot run: nobody knows what was broken."""
    return MaxwellError(error.message, code=error.code, hint=error.hint, file=error.file, line=error.line)
