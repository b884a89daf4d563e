"""The commands that keep a way back: backup, restore, backups, protect."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from runner.cli import render_backup as render
from runner.cli.options import (
    backup_dir_option,
    checks_option,
    command,
    confirm_option,
    lock_wait_option,
    option,
    pg_bin_option,
    scratch_option,
)
from runner.cli.progress import observing
from runner.cli.protection import confirm, confirm_loss
from runner.cli.session import Session
from runner.errors import EXIT_VIOLATIONS, UsageError
from runner.interruption import interruptible

if TYPE_CHECKING:
    from runner.backup.store import Backup
    from runner.operations.backups import Trial

_FILE = click.Path(path_type=Path)


@command("backup")
@click.argument("file", metavar="[FILE]", type=_FILE, required=False)
@backup_dir_option
@pg_bin_option
def backup(session: Session, file: Path | None, backup_dir: Path | None, pg_bin: Path | None) -> int:
    """Write a checked backup and its manifest, while the database is in use: to FILE, or under a new name.

    SQLite: through its backup API. PostgreSQL: pg_dump -Fc. No file is ever replaced.
    """
    from runner.operations.backup import backup as back_up

    project = session.project()
    with observing(session) as observer:
        made = interruptible(lambda: back_up(project, observer, file=file, folder=backup_dir, pg_bin=pg_bin))
    return session.answer("" if session.quiet else render.backup_text(made), render.backup_data(made))


@command("restore")
@click.argument("file", metavar="FILE", type=_FILE)
@option("--yes", "-y", is_flag=True, help="Do not ask; needed where there is no terminal to ask on.")
@confirm_option
@click.option("--other-database", is_flag=True, help="The backup is of a database of another name, and that is meant.")
@click.option("--allow-newer", is_flag=True, help="Though the files do not know all migrations of database or backup.")
@click.option("--create", is_flag=True, help="SQLite: make the file, which is not there.")
@option("--disconnect", is_flag=True, help="PostgreSQL: end the sessions of others instead of waiting for them.")
@lock_wait_option
@pg_bin_option
def restore(
    session: Session,
    file: Path,
    yes: bool,
    confirm_name: str | None,
    other_database: bool,
    allow_newer: bool,
    create: bool,
    disconnect: bool,
    lock_wait: float,
    pg_bin: Path | None,
) -> int:
    """Make the database what the backup FILE holds: wholly, or not at all. What came after the backup is lost.

    SQLite: into the live file, under open connections too. PostgreSQL: into a new database that takes the live one's
    name when it is complete; into the live one itself, in one transaction, where none may be made.
    """
    from runner.operations.restore import RestoreOptions, examine
    from runner.operations.restore import restore as put_back

    project = session.project()
    options = RestoreOptions(
        other_database=other_database,
        allow_newer=allow_newer,
        create=create,
        disconnect=disconnect,
        lock_wait=lock_wait,
        pg_bin=pg_bin,
    )
    with observing(session) as observer:
        manifest = interruptible(lambda: examine(project, file, options, observer))
    if not project.is_missing():
        action = f"Replace everything by the backup of {manifest.created_at}"
        confirm_loss(session, project, action, yes=yes, name=confirm_name)
    # A question may stand open for long: after it every byte is read once more.
    examined = manifest if yes else None
    with observing(session) as observer:
        report = interruptible(lambda: put_back(project, file, options, observer, examined))
    return session.answer("" if session.quiet else render.restore_text(report), render.restore_data(report))


@command("backups")
@click.argument("files", metavar="[FILE]...", type=_FILE, nargs=-1)
@option("--keep", type=click.IntRange(1), metavar="N", help="Remove all but the newest N.")
@option("--keep-days", type=click.FloatRange(0), metavar="D", help="Remove what is older than D days.")
@click.option("--test", is_flag=True, help="Restore the newest, or FILE, into a scratch database, and verify it there.")
@option("--yes", "-y", is_flag=True, help="Do not ask; needed where there is no terminal to ask on.")
@backup_dir_option
@scratch_option
@pg_bin_option
@checks_option
def backups(
    session: Session,
    files: tuple[Path, ...],
    keep: int | None,
    keep_days: float | None,
    test: bool,
    yes: bool,
    backup_dir: Path | None,
    scratch: str | None,
    pg_bin: Path | None,
    checks: tuple[Path, ...],
) -> int:
    """List the backups of the database, newest first; test them; remove old ones.

    With both --keep and --keep-days a backup stays if either keeps it. The newest always stays, and nothing is
    removed before every byte of it was read and found right.
    """
    from runner.operations.backups import list_backups, newest, old, prune, try_out

    project = session.project(checks)
    if files and not test:
        raise UsageError("FILE goes with --test", code="USAGE", hint="'maxwell-db backups --test FILE'.")
    tried: list[Trial] = []
    gone: tuple[Backup, ...] = ()
    if test:
        chosen = files or (newest(list_backups(project, backup_dir)).file,)
        with observing(session) as observer:
            for file in chosen:
                trying = partial(try_out, project, file, observer, scratch=scratch, pg_bin=pg_bin)
                tried.append(interruptible(trying))
    found = list_backups(project, backup_dir)
    if keep is not None or keep_days is not None:
        going = old([one for one in found if one.problem is None], keep, keep_days)
        if going and not yes:
            confirm(session, f"Remove the backups {', '.join(one.file.name for one in going)}?")
        with observing(session) as observer:
            pruning = partial(prune, project, backup_dir, observer, keep=keep, keep_days=keep_days)
            found, gone = interruptible(pruning)
    code = EXIT_VIOLATIONS if any(trial.verify.failed("error") for trial in tried) else 0
    text = "" if session.quiet and not code else render.backups_text(found, tried, gone)
    return session.answer(text, render.backups_data(found, tried, gone), code)


@command("protect")
@click.option("--off", is_flag=True, help="Take the protection away.")
@confirm_option
def protect(session: Session, off: bool, confirm_name: str | None) -> int:
    """Mark the database as protected, in itself: rollback, restore, transfer and deploy --no-backup then want its name.

    With 'protected = true' in yoyo.ini every database of that file is.
    """
    from runner.operations.protection import protect as mark

    project = session.project()
    if off:
        confirm_loss(session, project, "Take the protection away", yes=True, name=confirm_name)
    changed = mark(project, not off)
    text = f"{project.url} is {'no longer' if off else 'now' if changed else 'already'} protected."
    if off and not changed:
        text = f"{project.url} has no mark of protection."
    return session.answer("" if session.quiet else text, {"changed": changed, "protected": not off})
