"""The commands for who reviews migrations before they run: lint."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from runner.cli import candidates
from runner.cli.options import command, option
from runner.cli.session import Session
from runner.errors import EXIT_FAILED

if TYPE_CHECKING:
    from runner.domain.migration import Dialect
    from runner.operations.lint import Squawk

FORMATS = ("text", "json", "sarif", "junit", "github", "gitlab")


@command("lint")
@click.argument("files", metavar="[FILES]...", nargs=-1, type=click.Path(path_type=Path))
@option("--since", metavar="REF", help="A branch or commit of git: what is there must not be edited here.")
@option(
    "--squawk",
    type=click.Choice(["auto", "require", "off"]),
    default="auto",
    help="squawk's rules for PostgreSQL: if it is installed, in any case, or not at all.",
)
@option(
    "--ignore",
    multiple=True,
    metavar="RULE",
    shell_complete=candidates.lint_rules,
    help="Leave a rule out; may be given several times.",
)
@option("--strict", is_flag=True, help="Exit with 1 for a warning, too.")
@option(
    "--dialect",
    type=click.Choice(["sqlite", "postgres"]),
    help="Of a folder that is not called after one; otherwise the database's.",
)
@option("--format", "form", type=click.Choice(FORMATS), default="text", help="How the findings are given.")
def lint(
    session: Session,
    files: tuple[Path, ...],
    since: str | None,
    squawk: Squawk,
    ignore: tuple[str, ...],
    strict: bool,
    dialect: Dialect | None,
    form: str,
) -> int:
    """Review migrations without running them; by default all of them, in both dialects.

    FILES are files or folders of migrations. Needs no database. Exits with 1 if there is an error. A finding that
    was looked at is silenced by a comment before the statement, or in the header for the file:
    -- lint-ignore: RULE reason
    """
    from runner.cli import render_lint
    from runner.operations.lint import lint as review

    session.read_json_setting()
    report = review(
        session.sql,
        lambda: dialect or session.url.dialect,
        files,
        since=since,
        squawk=squawk,
        ignore=ignore,
    )
    exit_code = EXIT_FAILED if report.errors or (strict and report.warnings) else 0
    session.json = session.json or form == "json"
    match "json" if session.json else form:
        case "text":
            text = render_lint.lint_text(report, quiet=session.quiet)
        case "github":
            text = render_lint.lint_github(report)
        case "gitlab":
            text = render_lint.lint_gitlab(report)
        case "sarif":
            text = render_lint.lint_sarif(report)
        case "junit":
            text = render_lint.lint_junit(report, strict=strict)
        case _:
            text = ""
    return session.answer(text, render_lint.lint_data(report), exit_code)
