"""The commands that only look: history, verify; and status, which has a module of its own."""

from __future__ import annotations

import math
from contextlib import closing
from typing import TYPE_CHECKING

import click

from runner.cli import candidates
from runner.cli.options import checks_option, command, option
from runner.errors import EXIT_FAILED, EXIT_VIOLATIONS

if TYPE_CHECKING:
    from pathlib import Path

    from runner.cli.session import Session
    from verify.model import Severity


@command("history")
def history(session: Session) -> int:
    """Show who did what, when, how long it took, and with which text; rollbacks and stamps too."""
    from runner.cli.render import history_data, history_text
    from runner.operations.history import history as read_history

    entries = read_history(session.project())
    return session.answer(history_text(entries), history_data(entries))


@command("verify", without="sql")
@option(
    "--only",
    multiple=True,
    metavar="NAME",
    shell_complete=candidates.checks,
    help="Run this check only; a pattern such as 'orphan:*' will do.",
)
@option("--sample", type=click.IntRange(0), default=5, metavar="N", help="Show so many violations of each check.")
@option(
    "--fail-on",
    type=click.Choice(["warn", "error"]),
    default="warn",
    help="The lightest severity for which a violation makes the exit code 4.",
)
@option(
    "--budget",
    type=click.FloatRange(0, min_open=True),
    metavar="SECONDS",
    help="Stop after so long, the most important checks first; without violations the exit code is 1 then.",
)
@checks_option
@click.option("--list", "list_only", is_flag=True, help="Show the checks instead of running them.")
@click.option("--sql", "show_sql", is_flag=True, help="Show the checks' SQL instead of running them.")
def verify(
    session: Session,
    only: tuple[str, ...],
    sample: int,
    fail_on: Severity,
    budget: float | None,
    checks: tuple[Path, ...],
    list_only: bool,
    show_sql: bool,
) -> int:
    """Run the checks alone, read-only and in one snapshot: orphans, keys, integrity, and plain SQL checks.

    A migration folder is not needed; --sql DIR, which other commands take, stands before the command here.
    """
    from runner.cli.render import check_data, error_data
    from runner.dialects import connect
    from runner.interruption import interruptible
    from runner.operations import verify as operation
    from verify import render as verify_render
    from verify.run import list_checks, select

    session.read_json_setting()
    if budget is not None and not math.isfinite(budget):
        raise click.BadParameter(f"{budget} is no time in seconds.", param_hint="--budget")
    url = session.url
    if list_only or show_sql:
        with closing(connect(url, read_only=True)) as connection:
            found = select(list_checks(connection, url.dialect, checks), only)
        text = verify_render.render_list(found, sql=show_sql)
        return session.answer(text, {"checks": [check_data(check) for check in found]})
    report = interruptible(lambda: operation.verify(url, checks, only=only, sample=sample, budget=budget))
    text = verify_render.render_report(report, color=session.color, quiet=session.quiet)
    if report.failed(fail_on):
        return session.answer(text, report.as_dict(), EXIT_VIOLATIONS)
    if budget is None or not report.not_run:
        return session.answer(text, report.as_dict())
    error = operation.incomplete(report, budget)
    session.answer(text, report.as_dict() | error_data("verify", error), EXIT_FAILED)
    return EXIT_FAILED if session.json else session.fail(error, EXIT_FAILED)
