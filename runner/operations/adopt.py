"""Take over a database that Alembic made: its version becomes ours, if the schema is the very one."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from runner.catalog.model import ALEMBIC
from runner.dialects import tables
from runner.domain.options import RunOptions
from runner.domain.outcome import Observer
from runner.domain.state import MigrationStatus, Standing
from runner.domain.target import resolve, up_to
from runner.errors import UsageError
from runner.operations.adoption import Examiner
from runner.operations.comparison import Comparison, Schema, schema_of
from runner.operations.history_guard import refuse_unfinished
from runner.operations.project import Project
from runner.operations.stamp import Marks, set_marks

DROP = f"DROP TABLE {ALEMBIC};"


@dataclass(frozen=True)
class AdoptReport:
    """What an adoption did, or with ``dry_run`` would do. ``revision`` is Alembic's word; None: it had none."""

    revision: str | None
    place: str  # the version, in words
    marked: tuple[str, ...]  # oldest first
    standing: Standing  # after it
    comparison: Comparison
    dry_run: bool = False


def adopt(
    project: Project,
    options: RunOptions,
    observer: Observer,
    *,
    at: str | None = None,
    force: bool = False,
    dry_run: bool = False,
    scratch: str | None = None,
) -> AdoptReport:
    """Record as applied what Alembic says that it has applied, up to the migration of its revision, or up to ``at``.

    The schema is compared with the one that those migrations make on a scratch database: SchemaError where they
    differ, with the differences, the SQL that closes them where that is simple, and what is known of their cause;
    nothing is changed then. ``force`` records all the same. The table ``alembic_version`` is left as it is.
    UsageError where it is not there or not clear, and for a database that has marks already.
    """
    with project.connection(read_only=dry_run) as connection:
        standing = project.standing(connection)
        revision = _alembics_word(connection, project, at)
        _refuse_managed(standing)
        last = _counterpart(revision, standing) if at is None else resolve(at, standing, None)
        kept = up_to(standing.migrations, last)
        place = _place(kept)
        examiner = Examiner(project, standing, kept, place, force, scratch)
        found = schema_of(connection, project.url.dialect)
        comparison = examiner.judge(found, connection)
    if dry_run:
        return AdoptReport(revision, place, tuple(item.id for item in kept), standing, comparison, dry_run=True)

    def look(marks: Marks, now: Schema) -> Comparison:
        """Again, under the lock: another run may have been at work."""
        if any(item.is_applied for item in marks.kept) or marks.unmark:
            raise _managed()
        return comparison if now == found else examiner.judge(now, None)

    if not kept:  # at base there is nothing to record
        return AdoptReport(revision, place, (), standing, comparison)
    report = set_marks(project, kept[-1].id, options, observer, look, "adopt")
    return AdoptReport(revision, place, report.marked, report.standing, report.comparison or comparison)


def _alembics_word(connection: Any, project: Project, at: str | None) -> str | None:
    """The one revision at which Alembic says that the database is."""
    if ALEMBIC not in tables(connection, project.url.dialect):
        raise UsageError(
            f"{project.url} has no table {ALEMBIC}: Alembic has not made it",
            code="NOT_ALEMBIC",
            hint="Of another database with the right schema record the version by hand: maxwell-db stamp T.",
        )
    with closing(connection.cursor()) as cursor:
        cursor.execute(f"SELECT version_num FROM {ALEMBIC} ORDER BY version_num")
        heads = [str(head) for (head,) in cursor.fetchall()]
    if len(heads) > 1:
        raise UsageError(
            f"{ALEMBIC} has several heads: {', '.join(heads)}",
            code="SEVERAL_HEADS",
            hint="Bring the branches together with Alembic first (alembic merge heads; alembic upgrade head).",
        )
    if not heads and at is None:
        raise UsageError(
            f"{ALEMBIC} is empty: for Alembic the database is at its base",
            code="UNKNOWN_REVISION",
            hint="If it has a schema all the same, say which: maxwell-db adopt --at T. If not: maxwell-db apply.",
        )
    return heads[0] if heads else None


def _refuse_managed(standing: Standing) -> None:
    refuse_unfinished(standing)
    if standing.applied:
        raise _managed()


def _managed() -> UsageError:
    return UsageError(
        "the database has marks of migrations already: it was adopted, or made by maxwell-db or yoyo",
        code="ALREADY_MANAGED",
        hint="'maxwell-db status' shows them; 'maxwell-db stamp T' corrects them.",
    )


def _counterpart(revision: str | None, standing: Standing) -> str:
    """The migration whose ``revision:`` is Alembic's, or begins as that does: ``005`` and ``005_add_timeline``."""
    assert revision is not None
    ours = [item for item in standing.migrations if item.revision]
    exact = [item for item in ours if item.revision == revision]
    alike = [
        item
        for item in ours
        if f"{item.revision}".startswith(f"{revision}_") or revision.startswith(f"{item.revision}_")
    ]
    found = exact or alike
    if len(found) != 1:
        known = ", ".join(f"{item.revision}" for item in ours[-10:]) or "none of the migrations has a 'revision:'"
        what = "several migrations begin so" if found else "no migration is called so"
        raise UsageError(
            f"Alembic's revision is {revision}, and {what}",
            code="UNKNOWN_REVISION",
            hint=f"Our revisions: {known}. Say to which version it corresponds: maxwell-db adopt --at T.",
        )
    return found[0].id


def _place(kept: Sequence[MigrationStatus]) -> str:
    if not kept:
        return "base"
    version, revision = kept[-1].version, kept[-1].revision
    if version:
        return f"version {version} ({revision})" if revision else f"version {version}"
    return revision or kept[-1].id
