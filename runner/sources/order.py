"""One order for everybody: names, dependencies, numbers and versions have to agree on it."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Protocol

from runner.domain.migration import version_key
from runner.errors import FolderError
from runner.sources.refusal import Refuse, refusal, stop

_LEADING_NUMBER = re.compile(r"\d+")


class Ordered(Protocol):
    """A migration, as far as its place among the others goes."""

    @property
    def id(self) -> str: ...
    @property
    def version(self) -> str | None: ...
    @property
    def revision(self) -> str | None: ...
    @property
    def depends(self) -> tuple[str, ...]: ...
    @property
    def path(self) -> Path: ...


def check_order(migrations: Sequence[Ordered], known: Collection[str], refuse: Refuse = stop) -> None:
    """Ids must exist (be ``known``), sort as they depend, and sort as their numbers do."""
    for migration in migrations:
        for needed in migration.depends:
            if needed not in known:
                refuse(_depends(migration, "UNKNOWN_DEPENDENCY", f"depends on '{needed}', which is not in the folder"))
            elif needed == migration.id:
                refuse(_depends(migration, "DEPENDENCY_CYCLE", "depends on itself"))
    late = [
        (migration, needed)
        for migration in migrations
        for needed in migration.depends
        if needed > migration.id and needed in known
    ]
    cycle = _cycle(migrations) if late else None
    if cycle:
        refuse(cycle)
    for migration, needed in late if not cycle else ():
        refuse(
            refusal(
                migration.path,
                "BAD_ORDER",
                f"depends on '{needed}', which sorts after it",
                "Rename one of them: the names in order are the order in which they run.",
            )
        )
    numbers = [
        (int(match.group()), migration) for migration in migrations if (match := _LEADING_NUMBER.match(migration.id))
    ]
    for (before, _), (after, migration) in pairwise(numbers):
        if after < before:
            refuse(
                refusal(
                    migration.path,
                    "BAD_ORDER",
                    f"sorts after {before}, by name but not by number",
                    "Give the numbers one width, with leading zeros: 002 and 010, not 2 and 10.",
                )
            )


def _cycle(migrations: Iterable[Ordered]) -> FolderError | None:
    from graphlib import CycleError, TopologicalSorter

    graph = {migration.id: migration.depends for migration in migrations}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        cycle: list[str] = error.args[1]
        path = next(migration.path for migration in migrations if migration.id == cycle[0])
        return refusal(
            path,
            "DEPENDENCY_CYCLE",
            f"depends on itself by way of {' <- '.join(cycle)}",
            "Remove one of these '-- depends:' lines.",
        )
    return None


def check_unique(migrations: Sequence[Ordered], refuse: Refuse = stop) -> None:
    """Versions and revisions name one migration each, and versions grow."""
    revisions: dict[str, str] = {}
    newest: Ordered | None = None
    for migration in migrations:
        if migration.revision:
            twin = revisions.setdefault(migration.revision, migration.id)
            if twin != migration.id:
                refuse(
                    refusal(
                        migration.path,
                        "DUPLICATE_REVISION",
                        f"has the revision '{migration.revision}' of {twin}",
                        "Give each migration a revision of its own.",
                    )
                )
        if migration.version is None:
            continue
        if newest is not None and newest.version is not None:
            if version_key(newest.version) == version_key(migration.version):
                refuse(
                    refusal(
                        migration.path,
                        "DUPLICATE_VERSION",
                        f"has the version {migration.version} of {newest.id}",
                        "Give each migration a version of its own.",
                    )
                )
            if version_key(newest.version) > version_key(migration.version):
                refuse(
                    refusal(
                        migration.path,
                        "BAD_ORDER",
                        f"has version {migration.version}, but comes after {newest.version} of {newest.id}",
                        "Versions grow in the order of the names.",
                    )
                )
        newest = migration


def _depends(migration: Ordered, code: str, problem: str) -> FolderError:
    line = next(
        (
            number
            for number, line in enumerate(migration.path.read_text("utf-8").splitlines(), 1)
            if re.match(r"\s*--\s*depends\s*:", line)
        ),
        None,
    )
    return refusal(migration.path, code, problem, "Correct its '-- depends:' line.", line)
