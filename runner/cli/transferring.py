"""The command that takes a SQLite database to PostgreSQL: transfer."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from runner.cli.options import checks_option, command, confirm_option, lock_wait_option, no_verify_option, option
from runner.cli.progress import observing
from runner.cli.protection import confirm, confirm_loss, is_protected
from runner.cli.session import Session
from runner.domain.url import DatabaseUrl, parse_url
from runner.errors import MaxwellError, UsageError
from runner.interruption import interruptible

if TYPE_CHECKING:
    from runner.operations.project import Project


@command("transfer")
@option("--from", "source_url", metavar="URL", help="The source: sqlite:///FILE.")
@option("--to", "target_url", metavar="URL", help="The target: postgresql://USER@HOST/DATABASE, empty.")
@option(
    "--migrate/--no-migrate",
    default=None,
    help="Migrate the target to the source's version first; by default if nothing is applied to it.",
)
@option(
    "--map",
    "map_file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="A file that settles on purpose what does not fit; without it nothing is settled.",
)
@option("--dry-run", is_flag=True, help="Look at every value and say what does not fit; write nothing.")
@option("--freeze-source", is_flag=True, help="Let the source refuse every write from now on.")
@option("--verify-only", is_flag=True, help="Copy nothing: compare source and target as they are.")
@option("--unfreeze", is_flag=True, help="Copy nothing: let a frozen source be written to again.")
@option("--yes", "-y", is_flag=True, help="Do not ask; needed where a map loses values and there is no terminal.")
@confirm_option
@option("--sample", type=click.IntRange(0), default=5, metavar="N", help="Show so many values of each finding.")
@no_verify_option
@lock_wait_option
@checks_option
def transfer(
    session: Session,
    source_url: str | None,
    target_url: str | None,
    migrate: bool | None,
    map_file: Path | None,
    dry_run: bool,
    freeze_source: bool,
    verify_only: bool,
    unfreeze: bool,
    yes: bool,
    confirm_name: str | None,
    sample: int,
    no_verify: bool,
    lock_wait: float,
    checks: tuple[Path, ...],
) -> int:
    """Copy a whole SQLite database into PostgreSQL, proven value by value, or change nothing.

    Every value is looked at first; what PostgreSQL could not hold exactly as it is meant is reported, exit 9. The copy
    is one snapshot of the source and one transaction of the target, which must be empty and is migrated to the source's
    version. Before the commit rows and checksums of both sides are compared, and the checks run.
    """
    from runner.cli.render_transfer import transfer_data, transfer_text
    from runner.cli.transfer_progress import progressing
    from runner.operations import transfer as operation
    from runner.transfer.mapping import read_map
    from runner.transfer.outcome import TransferOptions

    if sum((dry_run, verify_only, unfreeze)) > 1 or (unfreeze and freeze_source):
        raise UsageError(
            "of --dry-run, --verify-only and --unfreeze one at a time", code="USAGE", hint="Leave the others out."
        )
    given = [("--from", source_url, "sqlite"), ("--to", None if unfreeze else target_url, "postgres")]
    urls = {name: _parsed(name, text, dialect) for name, text, dialect in given if text}
    source = _source(session, urls)
    options = TransferOptions(
        verify=not no_verify,
        lock_wait=lock_wait,
        migrate=migrate,
        dry_run=dry_run,
        freeze_source=freeze_source,
        sample=sample,
    )
    if unfreeze:
        with observing(session) as observer:
            session.work_on(source.url, from_command_line=False)
            report = interruptible(lambda: operation.unfreeze(source, options, observer))
            return session.answer(
                "" if session.quiet else transfer_text(report), transfer_data(report, str(source.url))
            )
    target = _target(session, urls, checks)
    if map_file is not None:
        options = replace(options, mapping=read_map(map_file))
    if not (dry_run or verify_only) and is_protected(session, target):
        confirm_loss(session, target, f"Put the rows of {source.url}", yes=yes, name=confirm_name)
    if options.mapping.loses and not (yes or dry_run or verify_only):
        confirm(session, f"Transfer {source.url} to {target.url.name}, and lose what {map_file} says?")
    verb = operation.compare if verify_only else operation.transfer
    shown = str(source.url)
    try:
        with observing(session) as observer, progressing(session, observer) as progress:
            report = interruptible(lambda: verb(source, target, options, observer, progress))
    except MaxwellError as error:
        found = getattr(error, "transfer", None)
        if found is None:
            raise
        if session.json:
            return session.answer("", transfer_data(found, shown) | {"error": error.as_dict()}, error.exit_code)
        session.answer(transfer_text(found), {})
        return session.fail(error, error.exit_code)
    return session.answer("" if session.quiet else transfer_text(report), transfer_data(report, shown))


_FORMS = {"--from": "sqlite:///FILE", "--to": "postgresql://USER@HOST/DATABASE"}


def _parsed(name: str, text: str, dialect: str) -> DatabaseUrl:
    url = parse_url(text)
    if url.dialect != dialect:
        kind = "SQLite" if dialect == "sqlite" else "PostgreSQL"
        raise UsageError(f"{name} is no {kind} database: {url}", code="USAGE", hint=f"Write {name} {_FORMS[name]}.")
    return url


def _given(name: str, urls: dict[str, DatabaseUrl]) -> DatabaseUrl:
    if name not in urls:
        raise UsageError(f"{name} is missing", code="USAGE", hint=f"Write {name} {_FORMS[name]}.")
    return urls[name]


def _source(session: Session, urls: dict[str, DatabaseUrl]) -> Project:
    url = _given("--from", urls)
    assert url.path is not None
    if not url.path.exists():
        raise UsageError(
            f"--from: the database {url.path} is not there", code="NO_SUCH_DATABASE", hint="Check the file's name."
        )
    return session.project_of(url)


def _target(session: Session, urls: dict[str, DatabaseUrl], checks: tuple[Path, ...]) -> Project:
    url = _given("--to", urls)
    given = click.get_current_context().get_parameter_source("target_url")
    session.work_on(url, from_command_line=given is click.core.ParameterSource.COMMANDLINE)
    return session.project_of(url, checks)
