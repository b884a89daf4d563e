"""The run that apply and rollback share: lock, baseline, one transaction for each migration, checks, errors."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any

from runner.backend import Backend, SqlMigration, as_yoyo, open_backend
from runner.domain.migration import Migration
from runner.domain.options import RunOptions
from runner.domain.outcome import Direction, Observer, Outcome
from runner.domain.state import Standing
from runner.errors import Interrupted, MaxwellError, ViolationsFound
from runner.operations.checking import Checker, describe
from runner.operations.project import Project
from verify.model import VerifyReport


@contextmanager
def locked(
    project: Project, connection: Any, options: RunOptions, observer: Observer, what: str, *, prepare: bool = True
) -> Iterator[Runner]:
    """A run on an open connection, under the database's lock and with the bookkeeping tables in place.

    Without ``prepare`` nothing is written yet; ``prepare`` of the backend has to come before anything runs.
    """
    backend = open_backend(project.url, connection)
    backend.configure(options, observer)
    with backend.run_lock(what):
        if prepare:
            backend.prepare()
        yield Runner(project, backend, options, observer)


class Runner:
    """One run. ``outcomes`` grows with each commit; an error on the way out names what it holds."""

    def __init__(self, project: Project, backend: Backend, options: RunOptions, observer: Observer) -> None:
        self.project = project
        self.backend = backend
        self.connection: Any = backend.connection
        self.options = options
        self.observer = observer
        self.outcomes: list[Outcome] = []
        self.baseline: VerifyReport | None = None  # what the checks said before anything ran
        self._checker: Checker | None = None
        self._last_report: VerifyReport | None = None
        self._expect_row_loss: set[str] = set()
        self._ungated = False

    def in_order(self, migrations: Sequence[Migration], direction: Direction) -> list[Migration]:
        """In yoyo's order, without those that yoyo's marks say are done already (or not done, going down)."""
        # yoyo keeps the order of what it is given where no '-- depends:' says otherwise: that of the names.
        known = as_yoyo(sorted(migrations, key=lambda migration: migration.id))
        ordered = self.backend.to_apply(known) if direction is Direction.APPLY else self.backend.to_rollback(known)
        return [item.migration for item in ordered]

    def run(
        self,
        migrations: Sequence[Migration],
        direction: Direction,
        before: Standing,
        *,
        gate: bool,
        single_transaction: bool = False,
    ) -> None:
        """Run each migration on a database that stands at ``before``, until one fails.

        In gate mode what breaks the data is rolled back by ViolationsFound.
        """
        if self.options.verify:
            self.observer.verifying()
            self._checker = Checker(self.connection, self.backend.dialect, self.project.checks)
            self.baseline = self.baseline or self._checker.before
            self._last_report, self._ungated = None, False
        try:
            with self._whole() if single_transaction else nullcontext():
                for number, migration in enumerate(as_yoyo(migrations), 1):
                    self._run_one(migration, direction, gate, number, len(migrations))
        except MaxwellError as error:
            if single_transaction:
                self.outcomes.clear()
            error.outcomes = tuple(self.outcomes)
            if self.outcomes and not isinstance(error, Interrupted):
                self._verify_the_rest(error, direction, before)
            raise

    def _verify_the_rest(self, error: MaxwellError, direction: Direction, before: Standing) -> None:
        """A run that failed half way has committed something, too; what that broke is told of with the failure."""
        try:
            self.verify_after(direction, before)
        except ViolationsFound as broken:
            error.message += f"\nBesides, {broken.message}"
            error.hint = f"{error.hint or ''}\nOf what was committed: {broken.hint}".strip()
        except Exception:  # the connection may be what failed; the first failure is what counts
            return

    def _run_one(self, migration: SqlMigration, direction: Direction, gate: bool, number: int, total: int) -> None:
        self._expect_row_loss |= migration.migration.expect_row_loss
        self.observer.started(direction, migration.id, number, total)

        def check() -> bool:
            return self._check_in_gate(migration, direction)

        self._ungated |= not (gate and migration.migration.transactional)
        outcome = self.backend.run(migration, direction, check if gate and self._checker else None)
        self.outcomes.append(outcome)
        self.observer.finished(direction, outcome)

    def _check_in_gate(self, migration: SqlMigration, direction: Direction) -> bool:
        assert self._checker is not None
        report, new = self._checker.check(direction, migration.migration.expect_row_loss, in_transaction=True)
        if new.failed("error"):
            error = ViolationsFound(
                f"{migration.id} breaks the data: {describe(new)}",
                code="GATE_CLOSED",
                hint="It was rolled back; nothing of it remains. Correct the migration, or the data, and run it again.",
                file=migration.script(direction).path,
            )
            error.report = report
            raise error
        self._checker.accept(report)
        self._last_report = report
        return True

    @contextmanager
    def _whole(self) -> Iterator[None]:
        """All migrations in one transaction: all or nothing."""
        with self.backend.transaction():
            self.backend.enter()
            yield
            self.backend.leave()

    def verify_after(self, direction: Direction, before: Standing) -> VerifyReport | None:
        """Verify what was committed. ViolationsFound names the command that takes it back."""
        if self._checker is None:
            return None
        if self._last_report is not None and not self._ungated:
            return self._last_report  # each migration passed the gate, and nothing came after the last one
        self.observer.verifying()
        report, new = self._checker.check(direction, self._expect_row_loss, in_transaction=False)
        broken = new.failed("error")
        ids = [outcome.id for outcome in self.outcomes]
        if direction is Direction.APPLY:
            self.backend.set_verify_outcome(ids, not broken)
        if broken:
            error = ViolationsFound(
                f"the data is broken since this run: {describe(new)}",
                code="VIOLATIONS_FOUND",
                hint=_way_back(direction, before, min(ids)),
            )
            error.outcomes, error.report = tuple(self.outcomes), report
            raise error
        return report


def _way_back(direction: Direction, before: Standing, oldest: str) -> str:
    if direction is Direction.ROLLBACK:
        newest = before.applied[-1].id
        return f"The rollback is committed. The way back up: maxwell-db apply {newest}"
    last = next((item.id for item in reversed(before.applied) if item.id < oldest), "base")
    later = [item.id for item in before.applied if item.id > oldest]
    too = f" (and with it {', '.join(later)}, applied before but newer: apply again)" if later else ""
    return f"It is committed. To take it back: maxwell-db rollback {last}{too}"
