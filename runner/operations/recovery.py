"""What is done about a deploy that failed after its backup: back by the rollbacks, back by the backup, or stop."""

from __future__ import annotations

import shlex
from collections.abc import Collection
from dataclasses import replace

from runner import interruption
from runner.domain.deploy import DeployOptions, DeployReport, OnFailure, Recovery
from runner.domain.outcome import Direction, Observer
from runner.errors import Interrupted, MaxwellError, UnfinishedError
from runner.operations.checking import describe, row_loss
from runner.operations.project import Project
from runner.operations.restore import RestoreOptions, restore
from runner.operations.rollback import way_back
from runner.operations.run import Runner
from verify.errors import VerifyError
from verify.model import VerifyReport
from verify.run import verify


class Recoverer:
    """The way back of one deploy. It writes into the report what it did, and into the failure what to do next."""

    def __init__(self, project: Project, options: DeployOptions, observer: Observer, report: DeployReport) -> None:
        self.project = project
        self.options = options
        self.observer = observer
        self.report = report
        self._settled = False

    @property
    def _action(self) -> OnFailure:
        """A database that this deploy made has no backup; its rollbacks lead back to the empty one that it was."""
        if self.options.on_failure is OnFailure.RESTORE and self.report.backup is None:
            return OnFailure.ROLLBACK
        return self.options.on_failure

    def roll_back(self, run: Runner, failure: MaxwellError) -> None:
        """Under the deploy's lock. Take back what was committed, if that was asked for."""
        if isinstance(failure, Interrupted) or interruption.requested():
            self._settled = True  # who stops a run wants it stopped; what was committed is named
            return
        if self._nothing_committed(failure):
            self._settled = True
            failure.note = "nothing was committed; the database is as it was before this deploy"
            return
        if self._action is not OnFailure.ROLLBACK:
            return
        self._settled = True
        place = self.report.before.place
        if not failure.outcomes or _left_a_part(failure):
            unfinished = isinstance(failure, UnfinishedError)
            problem = "what is unfinished cannot be rolled back" if unfinished else "nobody knows what was committed"
            self.report.recovery = Recovery(OnFailure.ROLLBACK, problem=problem)
            failure.hint = f"{failure.hint or ''} {self._offer()}".strip()
            return
        self.observer.step(f"failed: rolling back to {place}")
        # The checks are measured against what was there before the deploy, and not run before the rollback: one that
        # cannot run now must not stop it.
        back = Runner(self.project, run.backend, replace(self.options, verify=False), self.observer)
        try:
            self._take_back(back, {one.id for one in failure.outcomes})
            still_broken = self._still_broken(run)
        except MaxwellError as error:
            self._rollback_failed(failure, back, f"{error.place}{error.message}")
            return
        except run.connection.Error as error:  # the connection may be what failed first
            self._rollback_failed(failure, back, " ".join(str(error).split()))
            return
        self.report.recovery = Recovery(OnFailure.ROLLBACK, tuple(back.outcomes), still_broken)
        failure.outcomes = ()
        failure.note = f"rolled back to {place}"
        failure.hint = "What this deploy had committed is rolled back. Correct it, and deploy again."
        if still_broken is not None:
            failure.note += f", and still the data are not what they were: {still_broken}"
            failure.hint = self._offer()

    def _rollback_failed(self, failure: MaxwellError, back: Runner, why: str) -> None:
        done = tuple(back.outcomes)
        self.report.recovery = Recovery(OnFailure.ROLLBACK, done, why)
        failure.outcomes = tuple(one for one in failure.outcomes if one.id not in {each.id for each in done})
        failure.note = f"rolling back to {self.report.before.place} failed, too: {why}"
        failure.hint = self._offer()

    def restore(self, failure: MaxwellError) -> None:
        """After the deploy has let go of the database. Put the backup back, if that was asked for."""
        if self._settled:
            return
        if self._action is OnFailure.STOP or self.report.backup is None:
            failure.hint = f"{failure.hint or ''} {self._offer()}".strip()
            return
        self.observer.step("failed: going back to the backup")
        options = RestoreOptions(disconnect=True, lock_wait=self.options.lock_wait, pg_bin=self.options.pg_bin)
        try:
            restore(self.project, self.report.backup, options, self.observer)
        except MaxwellError as error:
            self.report.recovery = Recovery(OnFailure.RESTORE, problem=error.message)
            failure.note = f"restoring the backup failed, too: {error.message}"
            failure.hint = f"{error.hint or ''} {self._offer()}".strip()
            return
        self.report.recovery = Recovery(OnFailure.RESTORE)
        failure.note = f"restored the backup {self.report.backup}"
        failure.outcomes = ()
        failure.hint = "The database is what it was before this deploy. Correct it, and deploy again."

    def _take_back(self, back: Runner, committed: Collection[str]) -> None:
        """The very migrations that this deploy committed, newest first; others may be newer (--allow-out-of-order)."""
        standing = self.project.standing(back.connection)
        chosen = [way_back(item, self.project.url.dialect) for item in standing.applied if item.id in committed]
        back.run(back.in_order(chosen, Direction.ROLLBACK), Direction.ROLLBACK, standing, gate=False)

    def _nothing_committed(self, failure: MaxwellError) -> bool:
        """Do we know that nothing was? A connection may be lost in a commit."""
        if failure.outcomes or _left_a_part(failure):
            return False
        try:
            now = self.project.standing_or_empty()
        except MaxwellError:
            return False
        return [item.id for item in now.applied] == [item.id for item in self.report.before.applied]

    def _still_broken(self, run: Runner) -> str | None:
        """What the checks find after the way back that they did not find before the deploy."""
        if run.baseline is None:
            return None
        self.observer.verifying()
        try:
            after = verify(run.connection, self.project.url.dialect, checks_dirs=self.project.checks)
        except VerifyError as error:
            return f"the checks cannot run: {error.message}"
        return _new_errors(run.baseline, after)

    def _offer(self) -> str:
        if self.report.backup is None:
            return "There is no backup of this deploy."
        return f"The backup leads back: {self.options.program} restore {shlex.quote(str(self.report.backup))}"


def _left_a_part(failure: MaxwellError) -> bool:
    """May a part of a migration be there without its mark? It ran outside a transaction, or ended its own."""
    return isinstance(failure, UnfinishedError) or failure.code == "TRANSACTION_ENDED"


def _new_errors(before: VerifyReport, after: VerifyReport) -> str | None:
    """The errors of ``after`` that are not in ``before``, rows that are gone among them; None where there are none."""
    loss = row_loss(before.counts, after.counts, Direction.ROLLBACK, ())
    new = replace(after, checks=(*after.checks, loss)).new_since(before)
    return describe(new) if new.failed("error") else None
