"""The commands that only look: history, verify; and status, which has a module of its own."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

import click

from runner.cli import candidates
from runner.cli.options import checks_option, command, option
from runner.errors import EXIT_VIOLATIONS

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
    from runner.cli.render import check_data
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
            return session.answer(text, {"checks": [check_data(check) for check in found]})
        report = run_checks(connection, url.dialect, checks_dirs=checks, only=only, sample=sample)
    broken = report.failed(fail_on)
    text = verify_render.render_report(report, color=session.color, quiet=session.quiet)
    return session.answer(text, report.as_dict(), EXIT_VIOLATIONS if broken else 0)
