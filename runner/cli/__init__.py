"""The command line: parse, call one operation, show its value. Commands are imported when they are called."""

from __future__ import annotations

import gc
import importlib
import os
import sys
from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NoReturn

import click

from runner import __version__
from runner.cli.options import common_options
from runner.cli.session import Session
from runner.errors import EXIT_FAILED, EXIT_INTERRUPTED, EXIT_USAGE, MaxwellError

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

#: Where each command is; an alias is another name of the same one.
COMMANDS = {
    "adopt": ("runner.cli.adopting", "adopt"),
    "apply": ("runner.cli.changing", "apply"),
    "backup": ("runner.cli.safeguarding", "backup"),
    "backups": ("runner.cli.safeguarding", "backups"),
    "completion": ("runner.cli.completing", "completion"),
    "deploy": ("runner.cli.deploying", "deploy"),
    "doctor": ("runner.cli.examining", "doctor"),
    "drift": ("runner.cli.rehearsing", "drift"),
    "history": ("runner.cli.inspecting", "history"),
    "lint": ("runner.cli.reviewing", "lint"),
    "new": ("runner.cli.authoring", "new"),
    "plan": ("runner.cli.planning", "plan"),
    "protect": ("runner.cli.safeguarding", "protect"),
    "rehearse": ("runner.cli.rehearsing", "rehearse"),
    "repair": ("runner.cli.mending", "repair"),
    "report": ("runner.cli.reporting", "report"),
    "restore": ("runner.cli.safeguarding", "restore"),
    "rollback": ("runner.cli.changing", "rollback"),
    "stamp": ("runner.cli.changing", "stamp"),
    "status": ("runner.cli.standing", "status"),
    "transfer": ("runner.cli.transferring", "transfer"),
    "unlock": ("runner.cli.mending", "unlock"),
    "verify": ("runner.cli.inspecting", "verify"),
}
#: They leave nothing open and nothing to do; Python's own end would take as long as all that they did.
AT_ONCE = frozenset({"apply", "history", "plan", "rollback", "status", "verify"})
ALIASES = {"current": "status", "upgrade": "apply", "downgrade": "rollback"}


class Commands(click.Group):
    """The commands, each imported when it is asked for: ``status`` is run in loops."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        place = COMMANDS.get(ALIASES.get(cmd_name, cmd_name))
        if place is None:
            return None
        command: click.Command = getattr(importlib.import_module(place[0]), place[1])
        return command

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem[Any]]:
        from runner.cli.completing import aliases

        return [*super().shell_complete(ctx, incomplete), *aliases(ALIASES, incomplete)]

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name, command, rest = super().resolve_command(ctx, args)
        ctx.ensure_object(Session).command = command.name if command and command.name else ""
        return name, command, rest


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@common_options
@click.version_option(__version__, message="maxwell-db %(version)s")
def cli() -> None:
    """Versioned database migrations in plain SQL, on SQLite and PostgreSQL, proven after every step.

    Every option can also be set by an environment variable (MAXWELL_DB_ and its name: MAXWELL_DB_LOCK_WAIT;
    the database also by DATABASE_URL) and in the section [maxwell-db] of yoyo.ini. A flag wins over the environment,
    the environment over the file.

    A target T is head, base, an id or its unique prefix, a revision, a version with or without v, +N or -N.
    """


def program() -> NoReturn:
    """The program maxwell-db: run the command of the command line, and end."""
    gc.freeze()  # what was imported is never garbage, and need not be looked through for it
    arguments = sys.argv[1:]
    session = _session(arguments)
    code = _main(arguments, session)
    if session.command in AT_ONCE:
        sys.stderr.flush()  # stdout is flushed by then
        os._exit(code)
    sys.exit(code)


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; the exit code is the contract's. Every failure is one message, and never a traceback."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    return _main(arguments, _session(arguments))


def _session(arguments: Sequence[str]) -> Session:
    session = Session(json="--json" in arguments)
    if "--log-format=json" in arguments or ("--log-format", "json") in pairwise(arguments):
        session.set_flag("log-format", "json")  # known before the arguments are read, which may be what is wrong
    return session


def _main(arguments: list[str], session: Session) -> int:
    try:
        if instruction := os.environ.get("_MAXWELL_DB_COMPLETE"):
            from runner.cli.completing import answer_shell

            return answer_shell(cli, instruction)
        return _run(arguments, session)
    except BrokenPipeError:
        # The reader has gone (head, less): nothing to tell it, and nothing to print while Python ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_FAILED


def _run(arguments: list[str], session: Session) -> int:
    try:
        answer = cli.main(args=arguments, prog_name="maxwell-db", standalone_mode=False, obj=session)
        sys.stdout.flush()
        return int(answer or 0)
    except click.exceptions.Exit as done:
        return done.exit_code
    except (KeyboardInterrupt, click.Abort):
        return session.fail(
            MaxwellError("interrupted; what was running is rolled back", code="INTERRUPTED"), EXIT_INTERRUPTED
        )
    except click.ClickException as error:
        return session.fail(_usage(error), EXIT_USAGE)
    except MaxwellError as error:
        return session.fail(error, error.exit_code)
    except BrokenPipeError:
        raise
    except Exception as error:  # the last resort, so that nobody meets a traceback
        return _unforeseen(session, error)


def _usage(error: click.ClickException) -> MaxwellError:
    context: click.Context | None = getattr(error, "ctx", None)
    hint = f"See '{context.command_path} --help'." if context else "See 'maxwell-db --help'."
    return MaxwellError(error.format_message(), code="USAGE", hint=hint)


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
    else:
        text = session.without_password(f"{type(error).__name__}: {' '.join(str(error).split())}")
        told = MaxwellError(
            f"a fault of this program: {text}", code="INTERNAL", hint="Run it again with -v, and report what it prints."
        )
    return session.fail(told, EXIT_FAILED)
