"""The commands that settle what another run left: repair, unlock."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from runner.cli import candidates, render
from runner.cli.options import command, lock_wait_option
from runner.cli.progress import observing
from runner.cli.session import Session
from runner.domain.options import RunOptions
from runner.domain.state import State
from runner.errors import EXIT_HISTORY, EXIT_UNFINISHED
from runner.interruption import interruptible

if TYPE_CHECKING:
    from runner.operations.repair import Decision


@command("repair")
@click.option(
    "--accept",
    multiple=True,
    metavar="ID",
    shell_complete=candidates.ids,
    help="The changed file of this migration is right: record it anew.",
)
@click.option(
    "--as",
    "decision",
    type=click.Choice(["applied", "pending"]),
    help="What is true of an unfinished migration of which it cannot be told.",
)
@lock_wait_option
def repair(session: Session, accept: tuple[str, ...], decision: Decision | None, lock_wait: float) -> int:
    """Settle unfinished migrations, and record edited files anew: cosmetic edits all, changed files as told.

    Exits with 8 if an unfinished migration is left, with 6 if a changed one is.
    """
    from runner.operations.repair import repair as settle

    project = session.project()
    with observing(session) as observer:
        options = RunOptions(lock_wait=lock_wait)
        report = interruptible(lambda: settle(project, accept, decision, options, observer))
    code = EXIT_UNFINISHED if report.left(State.UNFINISHED) else EXIT_HISTORY if report.left(State.CHANGED) else 0
    text = "" if session.quiet and not code else render.repair_text(report)
    return session.answer(text, render.repair_data(report), code)


@command("unlock")
@click.option("--force", is_flag=True, help="Even if it may be at work: you know that it is dead.")
def unlock(session: Session, force: bool) -> int:
    """Remove the lock row that a plain yoyo left when it died; refused while it may be at work.

    Our own locks die with their process and need no unlocking.
    """
    from runner.operations.unlock import unlock as remove_row

    report = remove_row(session.project(), force=force)
    return session.answer("" if session.quiet else render.unlock_text(report), render.unlock_data(report))
