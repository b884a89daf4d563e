"""The command report: a page for who reviews a change."""

from __future__ import annotations

import os
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Literal

import click

from runner.cli.options import Target, checks_option, command, option, scratch_option
from runner.cli.rehearsing import observing
from runner.cli.session import Session
from runner.errors import MaxwellError, UsageError
from runner.interruption import interruptible

Form = Literal["html", "md"]

_FORMS: dict[str, Form] = {".html": "html", ".htm": "html", ".md": "md", ".markdown": "md"}


@command("report")
@option(
    "--output",
    "-o",
    type=click.Path(dir_okay=False, path_type=Path, allow_dash=True),
    metavar="FILE",
    help="Write FILE.html or FILE.md; without it, or with -, Markdown goes to stdout.",
)
@option("--format", "form", type=click.Choice(["html", "md"]), help="The form, whatever the file is called.")
@option(
    "--after",
    type=Target(),
    metavar="T",
    help="Show what comes after the target T, applied or not, instead of what is pending.",
)
@option("--rehearse", is_flag=True, help="Rehearse for the report: locks, rewrites and times on scratch databases.")
@option(
    "--rehearsal",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Take a rehearsal that was made before, by rehearse --json > FILE.",
)
@scratch_option
@option("--rows", type=click.IntRange(0, 10_000), default=30, metavar="N", help="Rehearse with so many rows a table.")
@option("--verify", is_flag=True, help="Run the checks on the database, as it is, for the report.")
@checks_option
def report(
    session: Session,
    output: Path | None,
    form: Form | None,
    after: str | None,
    rehearse: bool,
    rehearsal: Path | None,
    scratch: str | None,
    rows: int,
    verify: bool,
    checks: tuple[Path, ...],
) -> int:
    """Write a page for a reviewer: what is pending, and all that is known of it. Writes nothing to the database.

    Where it stands, the SQL of both dialects with the rollback under it, lint findings at their lines, what a rehearsal
    measured, the checks, rows, the schema as a picture with what the change does to it, and checksums. HTML is one
    file that needs nothing else; Markdown fits into a comment on GitHub. What is found wrong fails other commands, not
    this one.
    """
    from runner.cli import render_report
    from runner.operations.report import ReportOptions, gather

    if rehearse and rehearsal is not None:
        raise UsageError("--rehearse and --rehearsal are one too many", code="USAGE", hint="Make one, or take one.")
    file = None if output is None or str(output) == "-" else output
    form = form or _form(file)
    if file is not None and not file.parent.is_dir():
        raise _cannot(file, "no such folder")
    options = ReportOptions(after, rehearse, rehearsal, scratch, rows, verify)
    project = session.project(checks)
    with observing(session) as observer:
        found = interruptible(lambda: gather(project, options, observer))
    if form == "html":
        from runner.report.html import page as rendered
    else:
        from runner.report.markdown import page as rendered
    text = rendered(found)
    data = render_report.report_data(found, file, form)
    if file is None:
        return session.answer(text.rstrip("\n"), data)
    _write(file, text)
    return session.answer("" if session.quiet else render_report.report_text(found, file), data)


def _form(file: Path | None) -> Form:
    """By the name of the file; Markdown for stdout."""
    if file is None:
        return "md"
    if file.suffix.lower() not in _FORMS:
        raise UsageError(
            f"{file} is neither called .html nor .md",
            code="USAGE",
            hint="Call it so, or say --format html or --format md.",
        )
    return _FORMS[file.suffix.lower()]


def _write(file: Path, text: str) -> None:
    """The whole file or none of it: a reader of the old one never sees a half."""
    target = file.resolve()  # through a link, which stays
    try:
        mode = target.stat().st_mode & 0o777 if target.exists() else 0o666 & ~_umask()
        descriptor, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8", newline="\n") as stream:
                stream.write(text)
            Path(name).chmod(mode)
            Path(name).replace(target)
        except BaseException:
            with suppress(OSError):
                Path(name).unlink()
            raise
    except OSError as error:
        raise _cannot(file, str(error.strerror)) from error


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _cannot(file: Path, why: str) -> MaxwellError:
    return UsageError(f"cannot write {file}: {why}", code="CANNOT_WRITE", hint="Correct --output.")
