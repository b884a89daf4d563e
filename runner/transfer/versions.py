"""Do both sides stand at the same place? A migration that one dialect alone has on purpose counts for neither."""

from __future__ import annotations

from collections.abc import Sequence

from runner.domain.migration import Migration
from runner.domain.state import MigrationStatus, Standing
from runner.errors import FolderError, HistoryError, UsageError


def refuse_unpaired(source: Sequence[Migration], target: Sequence[Migration]) -> None:
    """FolderError for a migration that one tree lacks without saying so."""
    for ours, others, missing in ((source, target, "postgres"), (target, source, "sqlite")):
        known = {migration.id for migration in others}
        for migration in ours:
            if not migration.dialects and migration.id not in known:
                raise FolderError(
                    f"there is no such migration for {missing}",
                    code="UNPAIRED_MIGRATION",
                    hint=f"Write its pair; or say in its header that it has none: '-- dialects: {migration.dialect}'.",
                    file=migration.apply.path,
                )


def shared(standing: Standing) -> tuple[MigrationStatus, ...]:
    """What is applied and exists in both dialects, oldest first."""
    return tuple(item for item in standing.applied if not (item.migration and item.migration.dialects))


def missing(source: Standing, target: Standing, migrate: bool | None) -> tuple[MigrationStatus, ...]:
    """The migrations to apply to the target, so that it stands where the source does; none where it does already.

    PostgreSQL's own ones go along, up to the first that the source still lacks. HistoryError names both versions where
    the two differ and the target is not to be migrated (``migrate`` None: only if nothing is applied to it).
    """
    ours, theirs = [item.id for item in shared(source)], [item.id for item in shared(target)]
    if not ours:
        raise UsageError(
            "no migration is applied to the source",
            code="SOURCE_NOT_MIGRATED",
            hint="Name a database that maxwell-db or yoyo has migrated; 'maxwell-db status' shows it.",
        )
    if ours != theirs:
        forward = ours[: len(theirs)] == theirs and (migrate or (migrate is None and not target.applied))
        if not forward:
            raise HistoryError(
                f"the source is at {source.place}, the target at {target.place}",
                code="VERSION_MISMATCH",
                hint=_hint(ours, theirs, migrate),
            )
    elif not (migrate or (migrate is None and not target.applied)):
        return ()
    allowed = set(ours)
    chosen = []
    for item in target.migrations:
        if item.migration is None or not (item.migration.dialects or item.id in allowed):
            break
        if not item.is_applied:
            chosen.append(item)
    return tuple(chosen)


def _hint(ours: list[str], theirs: list[str], migrate: bool | None) -> str:
    if ours[: len(theirs)] == theirs:
        return (
            "Let transfer migrate the target: --migrate."
            if migrate is None
            else f"Migrate the target first: maxwell-db --database URL apply {ours[-1]}"
        )
    if theirs[: len(ours)] == ours:
        return f"Migrate the source first: maxwell-db --database URL apply {theirs[-1]}"
    return "Bring both to the same version; 'maxwell-db status' shows where each stands."
