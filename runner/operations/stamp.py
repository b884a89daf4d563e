"""Record migrations as applied, or as not applied, without running anything."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from runner.catalog import Catalog
from runner.domain.options import RunOptions
from runner.domain.outcome import Observer
from runner.domain.state import MigrationStatus, Standing, State
from runner.domain.target import after, resolve, up_to
from runner.errors import Interrupted, MaxwellError, SchemaError
from runner.operations.comparison import (
    Comparison,
    Schema,
    compare,
    schema_made_by,
    schema_of,
    standing_and_schema,
    version_with,
)
from runner.operations.project import Project

_WAY_OUT = "Or stamp without comparing: --force."


@dataclass(frozen=True)
class StampReport:
    """The ids that were marked as applied, oldest first, and those whose marks were removed, newest first.

    ``comparison`` is the database's schema against the one that the marks claim now: without differences unless the
    stamp was forced; None where there was nothing to do.
    """

    marked: tuple[str, ...]
    unmarked: tuple[str, ...]
    standing: Standing  # after it
    created: bool = False
    comparison: Comparison | None = None

    @property
    def changed(self) -> bool:
        return bool(self.marked or self.unmarked)


@dataclass(frozen=True)
class Marks:
    """What a stamp will do. ``kept`` are the migrations whose schema the marks claim afterwards, oldest first."""

    kept: tuple[MigrationStatus, ...]
    mark: tuple[str, ...]
    unmark: tuple[str, ...]
    settled: tuple[str, ...]  # died outside a transaction, and are no longer told of
    others: tuple[MigrationStatus, ...] = ()  # that come after those kept

    @property
    def nothing(self) -> bool:
        return not (self.mark or self.unmark or self.settled)

    @property
    def place(self) -> str:
        """What the marks will say, in words."""
        version = next((item.version for item in reversed(self.kept) if item.version), None)
        return f"version {version}" if version else self.kept[-1].id if self.kept else "base"


Look = Callable[[Marks, Schema], Comparison]  # what the marks will claim, beside what is there


def stamp(
    project: Project,
    target: str,
    options: RunOptions,
    observer: Observer,
    *,
    force: bool = False,
    scratch: str | None = None,
) -> StampReport:
    """Make the marks say that ``target`` and all before it are applied, and nothing after it; in one transaction.

    The database has to have the very schema that those migrations make, which is found out on a scratch database:
    else SchemaError, and nothing is changed. ``force`` marks all the same. What died outside a transaction is
    settled too. The ledger knows nothing of what was only stamped.
    """
    standing, found = standing_and_schema(project)
    marks = plan_marks(target, standing)
    if marks.nothing:
        return StampReport((), (), standing)
    # Before the lock, so that a refusal leaves no table, and no new file, behind.
    guard = Guard(project, force, scratch)
    guard.look(marks, found)
    return set_marks(project, target, options, observer, guard.look, "stamp")


def set_marks(
    project: Project, target: str, options: RunOptions, observer: Observer, look: Look, what: str
) -> StampReport:
    """Write the marks, under the lock and after another ``look``, which raises where they shall not be written."""
    from runner.operations.run import locked  # it brings yoyo, which nothing to do does not need

    created = project.is_missing()
    with (
        project.connection(create=True, what=what, observer=observer) as connection,
        locked(project, connection, options, observer, what) as run,
    ):
        # Again: another run may have been at work.
        marks = plan_marks(target, project.standing(connection))
        comparison = look(marks, schema_of(connection, project.url.dialect))
        run.backend.stamp(marks.mark, marks.unmark, marks.settled)
        return StampReport(marks.mark, marks.unmark, project.standing(connection), created, comparison)


def plan_marks(target: str, standing: Standing) -> Marks:
    """What has to be marked, and what not any more. UsageError for a target that is none."""
    last = resolve(target, standing, None)
    kept, others = up_to(standing.migrations, last), after(standing.migrations, last)
    return Marks(
        kept,
        tuple(item.id for item in kept if not item.is_applied),
        tuple(item.id for item in reversed(others) if item.is_applied),
        tuple(item.id for item in standing.in_state(State.UNFINISHED)),
        others,
    )


class Guard:
    """Holds a database's schema against the one that marks would claim. That is made once, on a scratch database."""

    def __init__(self, project: Project, force: bool, scratch: str | None) -> None:
        self._project = project
        self._force = force
        self._scratch = scratch
        self._expected: tuple[tuple[MigrationStatus, ...], Schema | MaxwellError] | None = None

    def look(self, marks: Marks, found: Schema) -> Comparison:
        """SchemaError where they differ, unless that is forced; MaxwellError where it cannot be found out."""
        expected = self._made_by(marks)
        if isinstance(expected, MaxwellError):
            return Comparison((), (f"not compared: {expected.message}",), compared=False)
        comparison = compare(expected, found)
        if comparison.differences and not self._force:
            raise self._mismatch(marks, comparison, found)
        return comparison

    def _made_by(self, marks: Marks) -> Schema | MaxwellError:
        if self._expected is None or self._expected[0] != marks.kept:
            made: Schema | MaxwellError
            try:
                made = schema_made_by(self._project, marks.kept, self._scratch, _WAY_OUT)
            except Interrupted:
                raise
            except MaxwellError as error:
                if not self._force:
                    raise
                made = error
            self._expected = (marks.kept, made)
        return self._expected[1]

    def _mismatch(self, marks: Marks, comparison: Comparison, found: Schema) -> SchemaError:
        number = len(comparison.differences)
        empty = found.catalog == Catalog(found.catalog.dialect)
        very = None if empty else version_with(self._project, (*marks.kept, *marks.others), found, self._scratch)
        if empty:
            hint = "It is empty: 'maxwell-db apply' makes the schema. Or record it all the same: --force."
        elif very is not None:
            hint = f"It has the very schema of {very.version or very.id}: maxwell-db stamp {very.id}"
        else:
            hint = "It has that of no other version either. Mend it, or record it all the same: --force."
        error = SchemaError(
            f"the database does not have the schema of {marks.place}: {number} difference{'' if number == 1 else 's'}",
            code="SCHEMA_MISMATCH",
            hint=hint,
        )
        error.differences, error.notes = comparison.differences, comparison.notes
        return error
