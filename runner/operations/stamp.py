"""Record migrations as applied, or as not applied, without running anything."""

from __future__ import annotations

from dataclasses import dataclass

from runner.domain.options import RunOptions
from runner.domain.outcome import Observer
from runner.domain.state import Standing, State
from runner.domain.target import after, resolve, up_to
from runner.operations.project import Project
from runner.operations.run import locked


@dataclass(frozen=True)
class StampReport:
    """The ids that were marked as applied, oldest first, and those whose marks were removed, newest first."""

    marked: tuple[str, ...]
    unmarked: tuple[str, ...]
    standing: Standing  # after it
    created: bool = False

    @property
    def changed(self) -> bool:
        return bool(self.marked or self.unmarked)


def stamp(project: Project, target: str, options: RunOptions, observer: Observer) -> StampReport:
    """Make the marks say that ``target`` and all before it are applied, and nothing after it; in one transaction.

    It also settles what died outside a transaction. The ledger knows nothing of what was only stamped.
    """
    created = project.is_missing()
    if created:
        resolve(target, project.standing_or_empty(), None)  # a wrong target leaves no new file behind
    with (
        project.connection(create=True, what="stamp", observer=observer) as connection,
        locked(project, connection, options, observer, "stamp") as run,
    ):
        standing = project.standing(connection)
        last = resolve(target, standing, None)
        mark = [item for item in up_to(standing.migrations, last) if not item.is_applied]
        unmark = [item for item in reversed(after(standing.migrations, last)) if item.is_applied]
        settled = [item.id for item in standing.in_state(State.UNFINISHED)]
        run.backend.stamp([item.id for item in mark], [item.id for item in unmark], settled)
        return StampReport(
            tuple(item.id for item in mark),
            tuple(item.id for item in unmark),
            project.standing(connection),
            created,
        )
