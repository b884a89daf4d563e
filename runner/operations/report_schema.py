"""What a change makes of a schema, found out on a scratch database: tables before and after, and the checks then."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runner.backend import as_yoyo
from runner.catalog import read_catalog
from runner.dialects import connect
from runner.domain.migration import Dialect, Migration
from runner.domain.outcome import Direction
from runner.domain.url import DatabaseUrl
from runner.errors import Interrupted, MaxwellError
from runner.interruption import watched
from runner.operations.expected import build
from runner.report.schema import Schema, merge
from runner.scratch import scratch_database
from verify.errors import VerifyError
from verify.model import Check
from verify.run import list_checks, verify


@dataclass(frozen=True)
class Foreseen:
    """None where it could not be found out; ``notes`` say why, by section of the report."""

    schema: Schema | None
    checks: tuple[Check, ...] | None
    earlier: frozenset[str]  # the names of the checks that there were before
    skips: Mapping[str, str]  # why a check will not run
    notes: Mapping[str, str]


def foresee(
    like: DatabaseUrl,
    dialect: Dialect,
    before: Callable[[], Sequence[Migration]],
    change: Sequence[Migration],
    checks: tuple[Path, ...],
    scratch: str | None,
) -> Foreseen:
    """Apply what came before to an empty database, then the change, and look after each. Yours is not touched.

    ``scratch`` names a PostgreSQL server; else it is the database's own, or the ``pg`` extra's.
    """
    try:
        first = list(before())
        with (
            scratch_database(like, scratch=scratch) as url,
            closing(connect(url, what="report")) as connection,
            watched(connection),
        ):
            return _both(url, connection, dialect, first, change, checks)
    except Interrupted:
        raise
    except MaxwellError as error:
        text = f"The schema could not be made on a scratch database: {error.place}{error.message}"
        return Foreseen(None, None, frozenset(), {}, {"schema": text, "checks": text})


def _both(
    url: DatabaseUrl,
    connection: Any,
    dialect: Dialect,
    before: Sequence[Migration],
    change: Sequence[Migration],
    checks: tuple[Path, ...],
) -> Foreseen:
    backend = build(url, connection, before)
    mine = {migration.id for migration in change}
    earlier = read_catalog(connection, dialect)
    names = frozenset(check.name for check in _listed(connection, dialect, checks)[0])
    later = earlier
    notes: dict[str, str] = {}
    try:
        for migration in as_yoyo([*before, *change]):
            if migration.id in mine:
                backend.run(migration, Direction.APPLY, lambda: None)
        later = read_catalog(connection, dialect)
    except Interrupted:
        raise
    except MaxwellError as error:
        why = f"{error.place}{error.message}"
        notes["schema"] = f"The change fails on a scratch database; the schema is that of before it: {why}"
    found, problem = _listed(connection, dialect, checks)
    if problem:
        notes["checks"] = f"The checks cannot be read: {problem}"
    return Foreseen(merge(earlier, later), found or None, names, _skips(connection, dialect, checks), notes)


def _listed(connection: Any, dialect: Dialect, checks: tuple[Path, ...]) -> tuple[tuple[Check, ...], str | None]:
    try:
        return list_checks(connection, dialect, checks), None
    except VerifyError as error:
        return (), error.message


def _skips(connection: Any, dialect: Dialect, checks: tuple[Path, ...]) -> dict[str, str]:
    """The checks that have nothing to look at in this schema, found out by running all of them on it."""
    try:
        report = verify(connection, dialect, checks_dirs=checks)
    except VerifyError:  # told of by --verify, and by the run itself
        return {}
    return {result.name: f"will be skipped: {result.reason}" for result in report.checks if result.status == "skipped"}
