"""Gather what a reviewer wants to see of a database and of what is about to be done to it. Writes nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from runner import __version__
from runner.domain.migration import Dialect, Migration
from runner.domain.state import Standing, stand
from runner.domain.target import resolve
from runner.errors import FolderError, MaxwellError
from runner.operations.drift import as_applied
from runner.operations.lint import lint
from runner.operations.project import Project
from runner.operations.rehearse import RehearsalOptions, rehearse
from runner.operations.report_database import Found, look
from runner.operations.report_schema import Foreseen, foresee
from runner.rehearsal.model import RehearsalObserver, RehearsalReport
from runner.rehearsal.stored import read_rehearsal
from runner.report.model import DIALECTS, Change, Check, Checks, Lint, Rehearsed, Report
from runner.sources.folder import read_folder
from runner.sources.place import dialect_folder
from verify.model import CheckResult

_LAST = 12  # lines of the history


@dataclass(frozen=True)
class ReportOptions:
    """``after``: the change is what comes after this target, instead of what is pending. ``rehearsal``: a file with one
    that was made before. ``scratch``: the PostgreSQL server for scratch databases. ``rows``: for each table of a
    rehearsal. ``verify``: run the checks."""

    after: str | None = None
    rehearse: bool = False
    rehearsal: Path | None = None
    scratch: str | None = None
    rows: int = 30
    verify: bool = False


def gather(project: Project, options: ReportOptions, observer: RehearsalObserver) -> Report:
    """Everything that can be found out. What cannot is None in the report, and its ``notes`` say why.

    A SQLite file that is not there is an empty database. MaxwellError where the database cannot be opened or the
    folder of its dialect is not there, UsageError for an unknown target and for a file that is no rehearsal.
    """
    dialect = project.url.dialect
    stored = None if options.rehearsal is None else read_rehearsal(options.rehearsal)  # a wrong file is told of first
    problems: list[FolderError] = []
    folders = _read(project, problems)
    found = look(project, folders[dialect], options.verify)
    notes = dict(found.notes)
    changes, after = _changes(found.standing, folders, dialect, options.after)
    first, then = _migrations(found.standing, folders[dialect], dialect, after, options.after)
    foreseen = foresee(project.url, dialect, first, then, project.checks, options.scratch)
    notes |= foreseen.notes
    rehearsed, note = _rehearsed(project, options, stored, changes, observer)
    if note:
        notes["rehearsal"] = note
    return Report(
        made_at=datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S"),
        tool_version=__version__,
        database=str(project.url),
        name=project.url.name,
        engine=found.engine,
        standing=found.standing,
        history=found.history[-_LAST:],
        after=options.after,
        changes=changes,
        refused=tuple(f"{problem.place}{problem.message}" for problem in problems),
        lint=_lint(project, dialect, changes),
        rehearsed=rehearsed,
        checks=_checks(foreseen, found),
        counts=found.counts,
        schema=foreseen.schema,
        notes=notes,
    )


def _read(project: Project, problems: list[FolderError]) -> dict[Dialect, tuple[Migration, ...]]:
    """The migrations of each dialect, without what cannot be read: that goes into ``problems``."""
    own = project.url.dialect
    folders: dict[Dialect, tuple[Migration, ...]] = {}
    for dialect in DIALECTS:
        if dialect != own and not (project.sql / dialect).is_dir():
            continue
        try:
            folder = dialect_folder(project.sql, dialect)
        except FolderError as stray:
            if all(str(stray) != str(one) or stray.file != one.file for one in problems):
                problems.append(stray)
            folder = project.sql / dialect
        try:
            folders[dialect] = read_folder(folder, dialect, problems.append)
        except FolderError:  # no migrations at all
            if dialect == own:
                raise
            folders[dialect] = ()
    return folders


def _changes(
    standing: Standing, folders: dict[Dialect, tuple[Migration, ...]], own: Dialect, after: str | None
) -> tuple[tuple[Change, ...], str | None]:
    """The migrations of the change, oldest first, and the id after which they come, if a target was given."""
    by_id = {dialect: {one.id: one for one in migrations} for dialect, migrations in folders.items()}
    states = {item.id: item.state for item in standing.migrations}
    last = None
    if after is not None:
        last = resolve(after, stand(folders[own], {}, {}), None)
        chosen = {id for id in by_id[own] if last is None or id > last}
        limit = last or ""
    else:
        chosen = {item.id for item in standing.pending}
        limit = max((item.id for item in standing.applied), default="")
    # What the other dialect has alone comes along; by itself it is a change only if no header says that it is meant.
    alone = {id: one for found in by_id.values() for id, one in found.items() if id > limit and id not in states}
    chosen |= {id for id, one in alone.items() if chosen or after is not None or not one.dialects}
    changes = []
    for id in sorted(chosen):
        files = {dialect: found[id] for dialect, found in by_id.items() if id in found}
        missing = {dialect: _why(dialect, files, folders) for dialect in DIALECTS if dialect not in files}
        changes.append(Change(id, states.get(id), files, missing))
    return tuple(changes), last


def _why(dialect: Dialect, files: dict[Dialect, Migration], folders: dict[Dialect, tuple[Migration, ...]]) -> str:
    if any(one.dialects for one in files.values()):
        return "None, on purpose: its header says so."
    if dialect not in folders:
        return "There is no folder of this dialect."
    return "There is no such file, and no header says that this is meant."


def _migrations(
    standing: Standing, migrations: Sequence[Migration], dialect: Dialect, last: str | None, after: str | None
) -> tuple[Callable[[], list[Migration]], list[Migration]]:
    """What made the schema before the change, found out when it is asked for, and what the change then does."""
    if after is not None:
        before = [one for one in migrations if last is not None and one.id <= last]
        return (lambda: before), [one for one in migrations if last is None or one.id > last]
    applied = standing.applied
    pending = [item.migration for item in standing.pending if item.migration is not None]
    return (lambda: [as_applied(item, dialect) for item in applied]), pending


def _lint(project: Project, dialect: Dialect, changes: Sequence[Change]) -> Lint | None:
    files = [script.path for change in changes for _, _, script in change.scripts()]
    if not files:
        return None
    found = lint(project.sql, lambda: dialect, files)
    return Lint(len(found.files), found.findings, found.suppressed, found.squawk.status)


def _rehearsed(
    project: Project,
    options: ReportOptions,
    stored: RehearsalReport | None,
    changes: Sequence[Change],
    observer: RehearsalObserver,
) -> tuple[Rehearsed | None, str | None]:
    """A rehearsal, made or read, and a note where it is not whole."""
    if stored is not None and options.rehearsal is not None:
        written = datetime.fromtimestamp(options.rehearsal.stat().st_mtime, UTC)
        source = f"Rehearsed before: {options.rehearsal}, written {written:%Y-%m-%d %H:%M} UTC"
        return Rehearsed(stored, source, _stale(stored, changes)), None
    if not options.rehearse:
        return None, None
    wanted = RehearsalOptions(None, options.scratch, options.rows)
    note = None
    try:
        try:
            report = rehearse(project, "head", wanted, observer)
        except MaxwellError as error:
            if error.code != "SCRATCH_UNAVAILABLE" or not (project.sql / "sqlite").is_dir():
                raise
            note = f"PostgreSQL was not rehearsed: {error.message}."
            report = rehearse(project, "head", RehearsalOptions("sqlite", None, options.rows), observer)
    except MaxwellError as error:
        if error.code == "INTERRUPTED":
            raise
        return None, f"The rehearsal could not be made: {error.place}{error.message}"
    return Rehearsed(report, "Rehearsed for this page"), note


def _stale(stored: RehearsalReport, changes: Sequence[Change]) -> tuple[str, ...]:
    """The files of the change whose text was another one; what was not rehearsed at all is not among them."""
    names = {
        f"{dialect}/{script.path.name}": script.sha256 for change in changes for dialect, _, script in change.scripts()
    }
    return tuple(name for name, checksum in names.items() if stored.files.get(name, checksum) != checksum)


def _checks(foreseen: Foreseen, found: Found) -> Checks | None:
    """The checks on the schema after the change; where that is not known, those that ran."""
    results = {result.name: result for result in found.verified.checks} if found.verified else {}
    if foreseen.checks is None:
        return None
    checks = []
    for check in foreseen.checks:
        result = results.get(check.name)
        detail = _detail(result) if result else foreseen.skips.get(check.name, "")
        checks.append(
            Check(
                check.name,
                check.kind,
                check.severity,
                check.summary,
                result.status if result else "not run",
                result.violations if result else 0,
                detail,
                check.name not in foreseen.earlier,
            )
        )
    return Checks(tuple(checks), found.ran)


def _detail(result: CheckResult) -> str:
    if result.reason:
        return result.reason
    told = [f"{one.table} {one.key}: {one.detail}" for one in result.sample[:3]]
    return "; ".join([*told, *(["..."] if result.violations > len(told) > 0 else [])])
