"""One call of ``verify``: which checks are run, by whom, in which order, and what became of them."""

from __future__ import annotations

from collections.abc import Callable, Collection
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from itertools import zip_longest
from time import perf_counter

from verify.catalog import Catalog
from verify.counts import count_rows, count_table
from verify.errors import VerifyError
from verify.found import Found
from verify.generic import FOREIGN_KEY_CHECK, INTEGRITY_CHECK
from verify.model import Check, CheckResult, VerifyReport
from verify.orphans import orphan_checks
from verify.reader import Reader, one_line
from verify.tasks import Tasks, passed
from verify.work import Deadline, Part, Work

Progress = Callable[[Check, int, int], None]  # the check about to run, its place (from 1), how many there are
PROVEN = "the server has just validated this foreign key"


class Run:
    """The checks as work for the readers, and the report that is made of it."""

    def __init__(
        self,
        reader: Reader,
        catalog: Catalog,
        checks: tuple[Check, ...],
        sample: int,
        before: VerifyReport | None,
        asked: Collection[str],
        deadline: Deadline | None,
        proven: Collection[str] = (),
    ) -> None:
        self._reader = reader
        self._catalog = catalog
        self._checks = checks
        self._sample = sample
        self._before = {result.name: result for result in before.checks} if before else {}
        self._asked = asked
        self._deadline = deadline
        self._results: dict[str, CheckResult] = {}
        self._shared = bool(reader.others)
        keys = {check.name: key for check, key in orphan_checks(catalog)}
        self._reasons = {check.name: PROVEN if check.name in proven else self._why_not(check) for check in checks}
        looks_at_file = self._reasons.get(INTEGRITY_CHECK, "not asked for") is None
        making = Tasks(catalog, keys, self._empty, shared=self._shared, looks_at_file=looks_at_file)
        self._tasks = {
            check.name: making.task(place, check, reader)
            for place, check in enumerate(checks)
            if self._reasons[check.name] is None
        }

    def report(self, progress: Progress | None) -> VerifyReport:
        parts = [part for task in self._tasks.values() for part in task.parts]
        parts += self._counting()
        if self._deadline is not None:
            parts = self._by_importance(parts)
        elif self._shared:
            parts.sort(key=lambda part: -part.cost)  # the biggest first, so that nobody waits long for the last one
        self._work = Work(
            (self._reader, *self._reader.others),
            parts,
            deadline=self._deadline,
            begun=self._telling(progress),
            goes_on=self._may_be_damage,
        )
        self._work.run()
        if self._work.cancelled is not None:
            place, error = self._work.cancelled
            raise _refused(self._checks[place], error) if place < len(self._checks) else _uncounted(error)
        for check in self._checks:
            self._results[check.name] = self._result(check)
        results = tuple(self._results.values())
        not_run = None
        if self._deadline is not None:
            not_run = sum(result.reason == self._over() for result in results)
        all_counted = all(part in self._work.outcomes for part in self._counts)
        return VerifyReport(results, self._counted(), not_run, all_counted)

    def _by_importance(self, parts: list[Part]) -> list[Part]:
        """The most important first. Where several share the work, some look at the file and some at the rest."""

        def rank(part: Part) -> int:
            return _rank(self._checks[part.check]) if part.check < len(self._checks) else 9

        ranked = sorted(parts, key=rank)
        if not self._shared:
            return ranked
        file = [part for part in ranked if rank(part) == 0]
        rest = [part for part in ranked if rank(part) > 0]
        pairs = zip_longest(file, rest)
        return [part for pair in pairs for part in pair if part is not None]

    def _telling(self, progress: Progress | None) -> Callable[[int], None]:
        told: set[int] = set()

        def tell(place: int) -> None:
            if progress is not None and place not in told and place < len(self._checks):
                told.add(place)
                progress(self._checks[place], place + 1, len(self._checks))

        return tell

    def _why_not(self, check: Check) -> str | None:
        missing = [reason for name in check.requires if (reason := self._catalog.missing(name)) is not None]
        if missing:
            return missing[0]
        return None if check.name in self._asked else check.skip

    def _empty(self, check: Check) -> Found:
        return Found(check.name, self._sample, self._before.get(check.name))

    def _may_be_damage(self) -> bool:
        """Whether an error may come of a damaged file, which is then told of instead, and ends nothing."""
        task = self._tasks.get(INTEGRITY_CHECK)
        return task is not None and not all(
            (outcome := self._work.outcomes.get(part)) is not None and passed(outcome.value) for part in task.parts
        )

    def _result(self, check: Check) -> CheckResult:
        reason = self._reasons[check.name]
        if reason == PROVEN:
            return CheckResult(check.name, check.kind, check.severity, "passed", reason=reason)
        if reason is not None:
            return self._skipped(check, reason)
        task = self._tasks[check.name]
        outcomes = [self._work.outcomes[part] for part in task.parts if part in self._work.outcomes]
        error = next((outcome.error for outcome in outcomes if outcome.error is not None), None)
        if error is None and len(outcomes) < len(task.parts):
            return self._skipped(check, self._over())
        begun = perf_counter()
        try:
            if error is not None:
                raise error
            with self._in_time() if task.asks else nullcontext():
                found = task.finish(self._reader, [outcome.value for outcome in outcomes], self._results)
        except self._reader.errors as caught:
            if self._deadline is not None and self._deadline.over and self._reader.was_cancelled(caught):
                return self._skipped(check, self._over())
            damage = self._results.get(INTEGRITY_CHECK)
            if damage is None or damage.status != "failed" or self._reader.was_cancelled(caught):
                raise _refused(check, caught) from caught
            return self._skipped(check, f"the file is damaged: {one_line(caught)}")
        return found.result(check, sum(outcome.milliseconds for outcome in outcomes) + (perf_counter() - begun) * 1000)

    def _in_time(self) -> AbstractContextManager[None]:
        return self._reader.until(None if self._deadline is None else self._deadline.left)

    def _skipped(self, check: Check, reason: str) -> CheckResult:
        return CheckResult(check.name, check.kind, check.severity, "skipped", reason=reason)

    def _over(self) -> str:
        assert self._deadline is not None
        return f"not run: the budget of {self._deadline.seconds:g} s was spent"

    def _counting(self) -> list[Part]:
        """The rows of all tables at once, or where several connections share the work, of each table by itself."""
        place = len(self._checks)
        if not self._shared:
            self._counts = {Part(place, lambda reader: count_rows(reader, self._catalog)): ""}
        else:
            self._counts = {
                Part(place, partial(count_table, table=table), self._catalog.rows.get(table.name, 0) // 4): table.name
                for table in sorted(self._catalog.whole_tables, key=lambda table: table.name)
            }
        return list(self._counts)

    def _counted(self) -> dict[str, int]:
        counts: dict[str, int] = {}
        for part, table in self._counts.items():
            outcome = self._work.outcomes.get(part)
            if outcome is None:
                continue  # no time was left
            if outcome.error is None:
                counts |= {table: outcome.value} if table else outcome.value
            elif not isinstance(outcome.error, self._reader.errors):
                raise outcome.error
        return counts


def _rank(check: Check) -> int:
    """What matters most comes first when time is short: the file, errors before warnings, orphans, keys, the others."""
    if check.name == FOREIGN_KEY_CHECK:
        return 4  # a second opinion
    if check.kind == "integrity":
        return 0
    return 5 if check.severity == "warn" else {"orphan": 1, "key": 2}.get(check.kind, 3)


def _uncounted(error: Exception) -> VerifyError:
    return VerifyError(
        f"the rows could not be counted: {one_line(error)}", code="CANNOT_READ", hint="Try again.", exit_code=1
    )


def _refused(check: Check, error: Exception) -> VerifyError:
    return VerifyError(
        f'the database refuses the check "{check.name}": {one_line(error)}',
        code="CHECK_FAILED",
        hint="A check is one SELECT that only reads. Correct it, or guard it with: -- requires: table.column",
        file=check.path,
        line=check.line if check.path else None,
        statement=check.sql,
        exit_code=1,
    )
