"""What ``status`` does with what it was told."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.cli.render_status import status_data, status_text
from runner.domain.state import BROKEN_HISTORY, State
from runner.errors import EXIT_HISTORY, EXIT_PENDING, EXIT_UNFINISHED

if TYPE_CHECKING:
    from runner.cli.session import Session


def show_status(session: Session, exit_code: bool, read_files: bool) -> int:
    """Give the standing of the session's database as its answer."""
    from runner.operations.status import status as read_status

    session.read_json_setting()
    standing = read_status(session.url, session.sql_name, read_files=read_files)
    code = 0
    if exit_code:
        if standing.in_state(State.UNFINISHED):
            code = EXIT_UNFINISHED
        elif standing.in_state(*BROKEN_HISTORY):
            code = EXIT_HISTORY
        elif standing.pending:
            code = EXIT_PENDING
    text = "" if session.quiet or session.json else status_text(standing, session.url, color=session.color)
    return session.answer(text, status_data(standing) if session.json else {}, code)
