"""Ask before data is lost, and of a protected database for its name."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from runner.cli.session import Session
from runner.errors import UsageError

if TYPE_CHECKING:
    from runner.operations.project import Project


def confirm(session: Session, question: str) -> None:
    """Ask before something is lost. Where nobody can be asked, or the answer is no: UsageError."""
    _need_terminal(session, "Say so with --yes.")
    if not click.confirm(question, err=True):
        raise UsageError("not confirmed; nothing was changed", code="NOT_CONFIRMED", hint="Answer y, or say --yes.")


def confirm_loss(session: Session, project: Project, action: str, *, yes: bool, name: str | None) -> None:
    """Ask before the database loses data. A protected one wants its name, typed or in ``name``; ``yes`` is not enough.

    UsageError where it is not given.
    """
    database = project.url.name
    if not is_protected(session, project):
        if not yes and name != database:
            confirm(session, f"{action} in the database {database}?")
        return
    if name is None:
        _need_terminal(session, f"Name it: --confirm {database}.", f"the database {database} is protected")
        name = click.prompt(f"{action} in the protected database {database}? Type its name", err=True)
    if name != database:
        raise UsageError(
            f"the database is called {database}, and not what was typed; nothing was changed",
            code="NOT_CONFIRMED",
            hint="See that it is the right database, then type its name.",
        )


def is_protected(session: Session, project: Project) -> bool:
    """By the configuration, or by its own word."""
    from runner.operations.protection import is_protected as says_so

    return session.switch("protected") or says_so(project)


def _need_terminal(session: Session, hint: str, what: str = "this loses data") -> None:
    if session.json or not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise UsageError(f"{what}, and there is no terminal to ask on", code="NOT_CONFIRMED", hint=hint)
