"""How click reads the commands; each is imported when it is called."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

import click

from runner import __version__
from runner.cli.names import ALIASES, COMMANDS
from runner.cli.options import common_options
from runner.cli.session import Session
from runner.errors import UsageError

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem


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


def call(arguments: list[str], session: Session) -> int:
    """Run the command that the arguments name, and return its exit code; UsageError if they cannot be understood."""
    try:
        return int(cli.main(args=arguments, prog_name="maxwell-db", standalone_mode=False, obj=session) or 0)
    except click.exceptions.Exit as done:
        return done.exit_code
    except click.Abort:
        raise KeyboardInterrupt from None
    except click.ClickException as error:
        raise _usage(error) from error


def _usage(error: click.ClickException) -> UsageError:
    context: click.Context | None = getattr(error, "ctx", None)
    hint = f"See '{context.command_path} --help'." if context else "See 'maxwell-db --help'."
    return UsageError(error.format_message(), code="USAGE", hint=hint)
