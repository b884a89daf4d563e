"""The commands that only look: status, history, verify."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import click

from runner.cli import candidates, render
from runner.cli.options import checks_option, command, option
from runner.cli.session import Session
from runner.domain.state import BROKEN_HISTORY, State
from runner.errors import EXIT_HISTORY, EXIT_PENDING, EXIT_UNFINISHED, EXIT_VIOLATIONS

if TYPE_CHECKING:
    from verify.model import Severity


@command("status")
@option("--exit-code", is_flag=True, help="Exit with 3 if something is pending (6: history, 8: unfinished).")
def status(session: Session, exit_code: bool) -> int:
    """Show where the database stands: its version, and each migration's state.

    Writes nothing, takes no lock, creates no file.
    """
    from runner.operations.status import status as read_status

    project = session.project()
    standing = read_status(project)
    code = 0
    if exit_code:
        if standing.in_state(State.UNFINISHED):
            code = EXIT_UNFINISHED
        elif standing.in_state(*BROKEN_HISTORY):
            code = EXIT_HISTORY
        elif standing.pending:
            code = EXIT_PENDING
    text = "" if session.quiet else render.status_text(standing, project.url, color=session.color)
    return session.answer(text, render.status_data(standing), code)


@command("history")
def history(session: Session) -> int:
    """Show who did what, when, how long it took, and with which text; rollbacks and stamps too."""
    from runner.operations.status import history as read_history

    entries = read_history(session.project())
    return session.answer(render.history_text(entries), render.history_data(entries))


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
@checks_option
@click.option("--list", "list_only", is_flag=True, help="Show the checks instead of running them.")
@click.option("--sql", "show_sql", is_flag=True, help="Show the checks' SQL instead of running them.")
def verify(
    session: Session,
    only: tuple[str, ...],
    sample: int,
    fail_on: Severity,
    checks: tuple[Path, ...],
    list_only: bool,
    show_sql: bool,
) -> int:
    """Run the checks alone, read-only and in one snapshot: orphans, keys, integrity, and plain SQL checks.

    A migration folder is not needed; --sql DIR, which other commands take, stands before the command here.
    """
    from runner.dialects import connect
    from verify import render as verify_render
    from verify.run import list_checks, select
    from verify.run import verify as run_checks

    session.read_json_setting()
    url = session.url
    with closing(connect(url, read_only=True)) as connection:
        if list_only or show_sql:
            found = select(list_checks(connection, url.dialect, checks), only)
            text = verify_render.render_list(found, sql=show_sql)
            return session.answer(text, {"checks": [render.check_data(check) for check in found]})
        report = run_checks(connection, url.dialect, checks_dirs=checks, only=only, sample=sample)
    broken = report.failed(fail_on)
    text = verify_render.render_report(report, color=session.color, quiet=session.quiet)
    return session.answer(text, report.as_dict(), EXIT_VIOLATIONS if broken else 0)
