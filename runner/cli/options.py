"""Options: those that all commands share, and how a command's own ones meet the environment and the file."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext, suppress
from typing import TYPE_CHECKING, Any, TypeVar

import click

from runner.cli import candidates
from runner.cli.session import Session
from runner.config import variable
from runner.domain.options import RunOptions
from runner.errors import MaxwellError

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

Decorated = TypeVar("Decorated", bound=Callable[..., Any])

_COMMON: dict[str, tuple[tuple[str, ...], dict[str, Any]]] = {
    "database": (("-d",), {"metavar": "URL", "help": "sqlite:///FILE or postgresql://USER@HOST/DATABASE."}),
    "sql": (
        (),
        {
            "metavar": "DIR",
            "help": "The migrations: a folder with sqlite/ and postgres/, or one of those.",
            "shell_complete": candidates.folders,
        },
    ),
    "config": (
        (),
        {
            "metavar": "FILE",
            "help": "The configuration file, instead of yoyo.ini in this folder.",
            "shell_complete": candidates.files,
        },
    ),
    "json": ((), {"is_flag": True, "help": "One JSON object on stdout, also on failure."}),
    "quiet": (("-q",), {"is_flag": True, "help": "Say nothing where all went well."}),
    "verbose": (("-v",), {"is_flag": True, "help": "Say more; show where a fault of the program is."}),
    "no-color": ((), {"is_flag": True, "help": "No colours, whatever the terminal."}),
    "log-format": (
        (),
        {"type": click.Choice(["text", "json"]), "help": "Progress and errors on stderr: words, or JSON lines."},
    ),
}


def common_options(function: Decorated, *, without: str = "") -> Decorated:
    """The group's options, which every command takes as well: people write them on either side of it."""

    def store(ctx: click.Context, parameter: click.Parameter, value: Any) -> None:
        if value is not None:
            ctx.ensure_object(Session).set_flag(str(parameter.name).replace("_", "-"), value)

    for name, (short, settings) in reversed(_COMMON.items()):
        if name != without:
            function = click.option(
                f"--{name}", *short, expose_value=False, is_eager=True, callback=store, default=None, **settings
            )(function)
    return function


class PathType(click.Path):
    """A path, which the function gets as a ``pathlib.Path``; that is imported when there is one."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        from pathlib import Path

        return Path(str(super().convert(value, param, ctx)))


class Command(click.Command):
    """A command whose own options the file may set, and which takes ``-N`` as an argument."""

    def make_context(
        self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: Any
    ) -> click.Context:
        if parent is not None and not {"-h", "--help"} & set(args):
            session = parent.ensure_object(Session)
            # --config may stand after the command, and has to be known before the command's options are read.
            for position, argument in enumerate(args):
                if argument.startswith("--config="):
                    session.set_flag("config", argument.removeprefix("--config="))
                elif argument == "--config" and position + 1 < len(args):
                    session.set_flag("config", args[position + 1])
            # While somebody types, a file that is wrong completes what it can.
            with suppress(MaxwellError) if extra.get("resilient_parsing") else nullcontext():
                extra["default_map"] = self._from_file(session.settings)
        return super().make_context(info_name, [_disguise(argument) for argument in args], parent, **extra)

    def _from_file(self, settings: dict[str, str]) -> dict[str, Any]:
        """The file's settings as click's defaults, over which flag and environment win; only of what has a variable."""
        options = {
            option.removeprefix("--"): item
            for item in self.params
            if isinstance(item, click.Option) and item.expose_value and item.envvar
            for option in item.opts
            if option.startswith("--")
        }
        return {
            str(options[key].name): value.split() if options[key].multiple else value
            for key, value in settings.items()
            if key in options
        }


_DISGUISE = "\0"


def _disguise(argument: str) -> str:
    """``-2`` is a target; click would take it for an option."""
    return f"{_DISGUISE}{argument[1:]}" if argument[:1] == "-" and argument[1:].isdigit() else argument


class Target(click.ParamType):  # type: ignore[type-arg]  # generic only in newer clicks
    """A target, as it was given."""

    name = "T"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        return str(value).replace(_DISGUISE, "-")

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem[Any]]:
        return candidates.targets(ctx, param, incomplete)


class ServerUrl(click.ParamType):  # type: ignore[type-arg]  # generic only in newer clicks
    """The URL of a PostgreSQL server; a password in it is never repeated."""

    name = "URL"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        from runner.domain.url import parse_url

        try:
            dialect = parse_url(str(value)).dialect
        except MaxwellError as error:
            self.fail(error.message, param, ctx)
        if dialect != "postgres":
            self.fail("not the URL of a PostgreSQL server; SQLite needs none", param, ctx)
        return str(value)


def option(*names: str, **settings: Any) -> Callable[[Decorated], Decorated]:
    """A command's option, with its environment variable."""
    long_name = next(name for name in names if name.startswith("--")).removeprefix("--").partition("/")[0]
    settings.setdefault("show_default", not settings.get("is_flag"))
    return click.option(*names, envvar=variable(long_name), **settings)


def command(name: str, *, without: str = "") -> Callable[[Callable[..., int]], click.Command]:
    """Make a function a command of the group; what it returns is the exit code."""

    def make(function: Callable[..., int]) -> click.Command:
        return click.command(name, cls=Command)(common_options(click.pass_obj(function), without=without))

    return make


checks_option = option(
    "--checks",
    multiple=True,
    type=PathType(exists=True, file_okay=False),
    metavar="DIR",
    help="A folder with checks of your own; may be given several times.",
)
lock_wait_option = option(
    "--lock-wait",
    type=click.FloatRange(0),
    default=RunOptions.lock_wait,
    metavar="S",
    help="Wait so many seconds for another run on the same database.",
)
ddl_lock_option = option(
    "--ddl-lock-timeout",
    type=click.FloatRange(0.001),
    default=RunOptions.ddl_lock_timeout,
    metavar="S",
    help="PostgreSQL: give up after so many seconds without the locks that a migration needs, all tries together.",
)
ddl_lock_try_option = option(
    "--ddl-lock-try",
    type=click.FloatRange(0.001),
    default=RunOptions.ddl_lock_try,
    metavar="S",
    help="PostgreSQL: of these, so many for one try; others queue behind us no longer than that.",
)
statement_timeout_option = option(
    "--statement-timeout",
    type=click.FloatRange(0),
    default=RunOptions.statement_timeout,
    metavar="S",
    help="PostgreSQL: give a statement up after so many seconds; 0 is never.",
)
no_verify_option = option("--no-verify", is_flag=True, help="Run no checks.")
backup_dir_option = option(
    "--backup-dir",
    type=PathType(),
    metavar="DIR",
    help="The folder of the backups: backups beside the SQLite file, in this folder for PostgreSQL, unless told.",
)
pg_bin_option = option(
    "--pg-bin",
    type=PathType(exists=True, file_okay=False),
    metavar="DIR",
    help="PostgreSQL: the folder with pg_dump and pg_restore, instead of looking for them.",
)
scratch_option = option(
    "--scratch",
    type=ServerUrl(),
    metavar="URL",
    help="The PostgreSQL server on which the scratch database is made, and dropped again.",
)
confirm_option = click.option(
    "--confirm", "confirm_name", metavar="NAME", help="The name of the database, which a protected one wants."
)
