"""Targets: how a person names the point to which a database shall go."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from runner.domain.migration import VERSION, version_key
from runner.domain.outcome import Direction
from runner.domain.state import MigrationStatus, Standing
from runner.errors import UsageError

_VERSION_TARGET = re.compile(rf"v\d+|v?{VERSION.pattern}")
SHOWN = 10  # candidates, at most
_STEPS = re.compile(r"([+-])(\d+)")


def resolve(target: str, standing: Standing, direction: Direction | None) -> str | None:
    """The id of the last migration that is applied when ``target`` is reached; None: none is (``base``).

    ``head``, ``base``, an id or its unique prefix, a revision, a version with or without ``v`` (the last migration with
    a version not above it), ``+N`` and ``-N`` from where the database stands. UsageError names the candidates.
    """
    items = standing.migrations
    if target == "base":
        return None
    if target == "head":
        return items[-1].id if items else None
    if match := _STEPS.fullmatch(target):
        return _step(target, match.group(1), int(match.group(2)), standing, direction)
    for item in items:
        if target in (item.id, item.revision):
            return item.id
    if _VERSION_TARGET.fullmatch(target):
        limit = version_key(target.removeprefix("v"))
        below = [item for item in items if item.version and version_key(item.version) <= limit]
        if below:
            return below[-1].id
    found = [item for item in items if item.id.startswith(target)] if target else []
    if len(found) == 1:
        return found[0].id
    problem = f"'{target}' is the beginning of several ids" if found else f"no migration is called '{target}'"
    raise UsageError(
        problem,
        code="AMBIGUOUS_TARGET" if found else "UNKNOWN_TARGET",
        hint=f"Candidates: {_names(found or items)}; also head, base, +N and -N.",
    )


def _step(target: str, sign: str, count: int, standing: Standing, direction: Direction | None) -> str | None:
    wrong_way = Direction.ROLLBACK if sign == "+" else Direction.APPLY
    if direction is wrong_way:
        other = "apply" if sign == "+" else "rollback"
        raise UsageError(f"{target} goes the other way", code="WRONG_DIRECTION", hint=f"Use 'maxwell-db {other}'.")
    available = standing.pending if sign == "+" else standing.applied
    if count > len(available):
        what = "pending" if sign == "+" else "applied"
        raise UsageError(
            f"{target} is too far: {len(available)} migration(s) are {what}",
            code="UNKNOWN_TARGET",
            hint="See 'maxwell-db status'.",
        )
    if count == 0:
        return standing.applied[-1].id if standing.applied else None
    if sign == "+":
        return available[count - 1].id
    return available[-count - 1].id if count < len(available) else None


def up_to(items: Iterable[MigrationStatus], last: str | None) -> tuple[MigrationStatus, ...]:
    """Those of ``items`` that a database at ``last`` has."""
    return tuple(item for item in items if last is not None and item.id <= last)


def after(items: Iterable[MigrationStatus], last: str | None) -> tuple[MigrationStatus, ...]:
    """Those of ``items`` that a database at ``last`` does not have."""
    return tuple(item for item in items if last is None or item.id > last)


def _names(items: Sequence[MigrationStatus]) -> str:
    more = [f"and {len(items) - SHOWN} older ones"] if len(items) > SHOWN else []
    return ", ".join([*map(_name, items[-SHOWN:]), *more])


def _name(item: MigrationStatus) -> str:
    names = [name for name in (item.version, item.revision) if name]
    return f"{item.id} ({', '.join(names)})" if names else item.id
