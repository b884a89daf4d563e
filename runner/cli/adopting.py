"""The command that takes over a database of another tool: adopt."""

from __future__ import annotations

import click

from runner.cli.options import Target, command, lock_wait_option, option, scratch_option
from runner.cli.progress import observing
from runner.cli.session import Session
from runner.domain.options import RunOptions
from runner.interruption import interruptible


@command("adopt")
@option("--at", type=Target(), metavar="T", help="The version that it has, whatever Alembic says.")
@click.option("--force", is_flag=True, help="Even if the schema is not that of the version; what differs is listed.")
@option("--dry-run", is_flag=True, help="Compare, and say what would be recorded; write nothing.")
@scratch_option
@lock_wait_option
def adopt(session: Session, at: str | None, force: bool, dry_run: bool, scratch: str | None, lock_wait: float) -> int:
    """Take over a database that Alembic made: record as applied what its table alembic_version says.

    Alembic's revision is that of a migration's header (revision:), or its beginning. Refused if the database's schema
    is not the one that our migrations make, on a scratch database; exit 6. What differs is listed, with the SQL that
    closes it. The table alembic_version is left as it is.
    """
    from runner.cli.render_adopt import adopt_data, adopt_text
    from runner.operations.adopt import adopt as take_over

    project = session.project()
    options = RunOptions(lock_wait=lock_wait)
    with observing(session) as observer:
        report = interruptible(
            lambda: take_over(project, options, observer, at=at, force=force, dry_run=dry_run, scratch=scratch)
        )
    return session.answer("" if session.quiet else adopt_text(report), adopt_data(report))
