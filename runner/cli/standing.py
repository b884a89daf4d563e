"""The command status, as click reads it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.cli.options import command, option
from runner.cli.show_status import show_status

if TYPE_CHECKING:
    from runner.cli.session import Session


@command("status")
@option("--exit-code", is_flag=True, help="Exit with 3 if something is pending (6: history, 8: unfinished).")
@option("--read-files", is_flag=True, help="Read every file, also one that has not been touched since it was applied.")
def status(session: Session, exit_code: bool, read_files: bool) -> int:
    """Show where the database stands: its version, and each migration's state.

    Writes nothing, takes no lock, creates no file.
    """
    return show_status(session, exit_code, read_files)
