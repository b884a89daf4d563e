"""One call of the program, from its arguments to its exit code: every failure is one message, never a traceback."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from itertools import pairwise
from typing import Any, NoReturn

from runner.cli.plain import plain_call
from runner.cli.session import Session
from runner.errors import EXIT_FAILED, EXIT_INTERRUPTED, MaxwellError
from verify.sqlite_library import count_no_memory

#: They leave nothing open and nothing to do; Python's own end would take as long as all that they did.
AT_ONCE = frozenset({"apply", "history", "plan", "rollback", "status", "verify"})


def run_program() -> NoReturn:
    """Run the command of the program's command line, and end the program."""
    # Whoever started us may have closed them ('>&-').
    sys.stdout = sys.stdout or os.fdopen(os.open(os.devnull, os.O_WRONLY), "w")
    sys.stderr = sys.stderr or os.fdopen(os.open(os.devnull, os.O_WRONLY), "w")
    arguments = sys.argv[1:]
    session = _session(arguments)
    code = _invoke(arguments, session)
    if session.command in AT_ONCE:
        sys.stderr.flush()  # stdout is flushed by then
        os._exit(code)
    sys.exit(code)


def invoke(argv: Sequence[str] | None = None) -> int:
    """Run the command of ``argv``, or of the program's command line, and return its exit code."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    return _invoke(arguments, _session(arguments))


def _session(arguments: Sequence[str]) -> Session:
    session = Session(json="--json" in arguments)
    if "--log-format=json" in arguments or ("--log-format", "json") in pairwise(arguments):
        session.set_flag("log-format", "json")  # known before the arguments are read, which may be what is wrong
    return session


def _invoke(arguments: list[str], session: Session) -> int:
    try:
        if instruction := os.environ.get("_MAXWELL_DB_COMPLETE"):
            from runner.cli.completing import answer_shell
            from runner.cli.group import cli

            return answer_shell(cli, instruction)
        return _run(arguments, session)
    except BrokenPipeError:
        # The reader has gone (head, less): nothing to tell it.
        return _without_stdout()
    except OSError as error:  # neither the answer nor the error in its place can be written
        sys.stderr.write(f"error: stdout: {error.strerror}\n")
        return _without_stdout()


def _without_stdout() -> int:
    """What is still to be written while Python ends goes nowhere."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return EXIT_FAILED


def _run(arguments: list[str], session: Session) -> int:
    try:
        code = _call(arguments, session)
        sys.stdout.flush()
        return code
    except KeyboardInterrupt:
        return session.fail(
            MaxwellError("interrupted; what was running is rolled back", code="INTERRUPTED"), EXIT_INTERRUPTED
        )
    except MaxwellError as error:
        return session.fail(error, error.exit_code)
    except BrokenPipeError:
        raise
    except Exception as error:  # the last resort, so that nobody meets a traceback
        return _unforeseen(session, error)


def _call(arguments: list[str], session: Session) -> int:
    """Run the command; in its plain forms without click, whose import takes longer than all else of a ``status``."""
    call = plain_call(arguments, session)
    if session.command != "status":  # for which it would take longer than it saves
        count_no_memory()
    if call:
        return call()
    from runner.cli.group import call as call_by_click

    return call_by_click(arguments, session)


def _unforeseen(session: Session, error: Exception) -> int:
    """An error of the checks' own, of a driver outside any statement of ours, or a fault of this program."""
    known: Any = error
    if type(error).__module__ == "verify.errors":
        told = MaxwellError(
            known.message,
            code=known.code,
            hint=known.hint,
            file=known.file,
            line=known.line,
            statement=known.statement,
        )
        return session.fail(told, known.exit_code)
    if session.verbose:
        import traceback

        traceback.print_exc()
    module = type(error).__module__.partition(".")[0]
    if module in ("sqlite3", "psycopg2"):
        text = session.without_password(" ".join(str(error).split()))
        told = MaxwellError(text, code="DATABASE_ERROR", hint="What was running is rolled back.")
    elif isinstance(error, OSError):  # a full disk, mostly, under the answer or under a file that is written
        text = f"{error.filename}: {error.strerror}" if error.filename else str(error.strerror or error)
        told = MaxwellError(
            text, code="SYSTEM_ERROR", hint="'maxwell-db status' shows what was done before; mend it, and run it again."
        )
    else:
        text = session.without_password(f"{type(error).__name__}: {' '.join(str(error).split())}")
        told = MaxwellError(
            f"a fault of this program: {text}", code="INTERNAL", hint="Run it again with -v, and report what it prints."
        )
    return session.fail(told, EXIT_FAILED)
