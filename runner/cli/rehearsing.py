"""The commands that work on scratch databases: drift, rehearse."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from runner.cli.options import Target, checks_option, command, option, scratch_option
from runner.cli.session import Session
from runner.errors import EXIT_FAILED, EXIT_HISTORY, HistoryError, RehearsalFailed, UsageError
from runner.interruption import interruptible
from runner.rehearsal.model import RehearsalObserver, Step

if TYPE_CHECKING:
    from runner.domain.migration import Dialect


@command("drift")
@scratch_option
def drift(session: Session, scratch: str | None) -> int:
    """Compare the database's schema with what its applied migrations make on a scratch database; exit 6 if they differ.

    Writes nothing to the database. A scratch database for PostgreSQL is made on its own server, or where the role may
    not do that, on the one that the pg extra brings along.
    """
    from runner.cli import render_drift as render
    from runner.cli.layout import count
    from runner.operations.drift import drift as find_drift

    project = session.project()
    report = interruptible(lambda: find_drift(project, scratch=scratch))
    data = render.drift_data(report)
    if not report.differences:
        return session.answer("" if session.quiet else render.drift_text(report, project.url), data)
    error = HistoryError(
        f"the schema differs from what its migrations make in {count(len(report.differences), 'object')}",
        code="DRIFT",
        hint="Put what shall stay into a migration, and undo the rest by hand.",
    )
    return session.answer(render.drift_text(report, project.url), data | {"error": error.as_dict()}, EXIT_HISTORY)


@command("rehearse")
@click.argument("target", metavar="[T]", type=Target(), default="head")
@option(
    "--dialect",
    type=click.Choice(["sqlite", "postgres"]),
    help="Rehearse this dialect alone; the two are not compared then.",
)
@scratch_option
@option("--rows", type=click.IntRange(0, 10_000), default=30, metavar="N", help="Make so many rows for each table.")
@option(
    "--junit",
    type=click.Path(dir_okay=False, writable=True, path_type=Path),
    metavar="FILE",
    help="Write the steps to this file too, as JUnit's test cases.",
)
@checks_option
def rehearse(
    session: Session,
    target: str,
    dialect: Dialect | None,
    scratch: str | None,
    rows: int,
    junit: Path | None,
    checks: tuple[Path, ...],
) -> int:
    """Rehearse the migrations up to T (default head) on scratch databases: up, down, up again, over generated rows.

    The rollback has to lead back to the very schema, and to leave alone the rows that it does not concern; the checks
    run after every step; and both dialects have to come to one logical schema at every version. The database and its
    server are not touched: PostgreSQL's part runs on the server of --scratch, or on the one that the pg extra brings.
    """
    from runner.cli import render_rehearsal as render
    from runner.operations.rehearse import RehearsalOptions
    from runner.operations.rehearse import rehearse as run

    if junit is not None and not junit.parent.is_dir():
        raise UsageError(
            f"--junit: the folder {junit.parent} is not there", code="NO_SUCH_FOLDER", hint="Make it first."
        )
    project = session.project(checks)
    options = RehearsalOptions(dialect, scratch, rows)
    with observing(session) as observer:
        report = interruptible(lambda: run(project, target, options, observer))
    if junit is not None:
        _write(junit, render.rehearsal_junit(report))
    text = render.rehearsal_text(report, color=session.color, verbose=session.verbose)
    data = render.rehearsal_data(report)
    if report.passed:
        return session.answer("" if session.quiet else text, data)
    error = RehearsalFailed(
        "; ".join(finding.message for step in report.failed for finding in step.errors[:1]),
        code="REHEARSAL_FAILED",
        hint="Correct the files; nothing but scratch databases was touched.",
    )
    return session.answer(text, data | {"error": error.as_dict()}, EXIT_FAILED)


@contextmanager
def observing(session: Session) -> Iterator[RehearsalObserver]:
    """Whoever tells of progress: a line for each step with -v, a JSON line if asked for, on a terminal something that
    moves, else nobody."""
    if session.quiet:
        yield RehearsalObserver()
    elif session.logs_json:
        yield _JsonLines()
    elif session.verbose:
        yield _Lines()
    elif sys.stderr.isatty() and session.color:
        from rich.console import Console

        with Console(stderr=True).status("rehearsing") as status:
            yield _Live(status)
    else:
        yield RehearsalObserver()


class _Lines(RehearsalObserver):
    """A line on stderr for each step that is over."""

    def stepped(self, step: Step) -> None:
        reason = f"  {step.reason}" if step.reason else ""
        with suppress(BrokenPipeError):
            print(f"{step.status:<7}  {step.dialect or 'both':<8}  {step.id}  {step.name}{reason}", file=sys.stderr)


class _JsonLines(RehearsalObserver):
    """The same as JSON lines."""

    def stepped(self, step: Step) -> None:
        from runner.cli.json_log import line

        text = f"{step.dialect or 'both'} {step.id} {step.name}: {step.status}"
        facts = {"dialect": step.dialect, "id": step.id, "step": step.name, "status": step.status}
        with suppress(BrokenPipeError):
            level = "error" if step.status == "failed" else "info"
            print(line(level, text, **facts, duration_ms=step.duration_ms), file=sys.stderr, flush=True)


class _Live(RehearsalObserver):
    """The last step, on a terminal."""

    def __init__(self, status: Any) -> None:
        self._status = status

    def stepped(self, step: Step) -> None:
        self._status.update(f"rehearsing {step.dialect or 'parity'}  {step.id}")


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(
            f"{path} cannot be written: {error.strerror}", code="CANNOT_WRITE", hint="Name another file with --junit."
        ) from error
