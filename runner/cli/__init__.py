"""The command line: parse, call one operation, show its value. Commands are imported when they are called."""

from __future__ import annotations

import gc
from collections.abc import Sequence
from typing import NoReturn

from runner.asleep import import_without

#: So many new objects before they are looked through for garbage. A command makes little that is not freed at once, and
#: to look through what is imported meanwhile, again and again, would take a fifth of the time of an ``apply``.
_GARBAGE = 200_000


def program() -> NoReturn:
    """The program maxwell-db: run the command of the command line, and end."""
    gc.set_threshold(_GARBAGE)
    # They inspect only a class without a docstring, and have none; that import takes an eighth of a ``status``.
    import_without("dataclasses", ("inspect",))
    from runner.cli.invocation import run_program

    run_program()


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; the exit code is the contract's. Every failure is one message, and never a traceback."""
    from runner.cli.invocation import invoke

    return invoke(argv)
