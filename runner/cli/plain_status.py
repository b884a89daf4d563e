"""The command ``status`` without click: it is run in loops and prompts, and click's import takes longer than its work.

What is read here has the same meaning for click, which reads all other ways to write it, and tells of mistakes.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from runner.cli.render_status import status_data, status_text
from runner.config import variable
from runner.domain.state import BROKEN_HISTORY, State
from runner.errors import EXIT_HISTORY, EXIT_PENDING, EXIT_UNFINISHED

if TYPE_CHECKING:
    from runner.cli.session import Session

NAMES = frozenset({"status", "current"})
OWN = ("exit-code", "read-files")
SWITCHES = {f"--{name}": name for name in ("json", "quiet", "verbose", "no-color", *OWN)}
SWITCHES |= {"-q": "quiet", "-v": "verbose"}
WITH_VALUE = {"--database": "database", "-d": "database", "--sql": "sql", "--config": "config"}


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


def plain_status(arguments: Sequence[str], session: Session) -> dict[str, bool] | None:
    """What ``show_status`` takes, and the common options told to the session; None where click has to read it."""
    given = _read(arguments)
    if given is None or any(os.environ.get(variable(name)) for name in OWN):
        return None
    own = {name.replace("-", "_"): bool(given.pop(name, False)) for name in OWN}
    session.command = "status"
    for name, value in given.items():
        session.set_flag(name, value)
    return None if any(name in session.settings for name in OWN) else own


def _read(arguments: Sequence[str]) -> dict[str, Any] | None:
    """The options by name, of ``status`` and nothing but options written in full; else None."""
    given: dict[str, Any] = {}
    named = False
    words = iter(arguments)
    for word in words:
        option, equals, value = word.partition("=")
        if word in NAMES and not named:
            named = True
        elif word in SWITCHES and (named or SWITCHES[word] not in OWN):
            given[SWITCHES[word]] = True
        elif option in WITH_VALUE and (not equals or option.startswith("--")):
            value = value if equals else next(words, "-")
            if value.startswith("-"):
                return None
            given[WITH_VALUE[option]] = value
        else:
            return None
    return given if named else None
