"""The command for who writes migrations: new."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from runner.cli import candidates
from runner.cli.options import Target, command, option
from runner.cli.session import Session
from runner.errors import MaxwellError
from runner.patterns import PATTERNS

if TYPE_CHECKING:
    from runner.domain.migration import Dialect
    from runner.operations.new import NewMigration

_HELP = """Begin a migration: a file and its rollback in each dialect, after the newest there is.

NAME is <phase>_<feature>_<action>; the time comes before it, and the next version and revision go into the header.
Nothing is ever written over. Without a pattern the files hold no statement yet, and every command refuses them until
they do.

Patterns, with the options that each needs:

\b
"""


@command("new")
@click.argument("name", metavar="NAME")
@option("--pattern", type=click.Choice(sorted(PATTERNS)), help="A reviewed migration instead of an empty one.")
@option("--table", metavar="NAME", help="The table that it is about.")
@option("--column", metavar="NAME", help="The column that it is about.")
@click.option("--to", metavar="NAME", help="The column's new name.")  # elsewhere "to" is a database
@option("--type", metavar="TYPE", help="The column's type, as both dialects write it; otherwise what it is, or TEXT.")
@option(
    "--default",
    type=Target(),
    metavar="TEXT",
    shell_complete=candidates.nothing,
    help="The value that rows get which have none.",
)
@option("--group", metavar="KEY", help="restructure-json: the part into which the keys go.")
@option("--keys", metavar="KEY,KEY", help="restructure-json: the keys that go there.")
@option("--parent", metavar="NAME", help="The table that the foreign key refers to.")
@option("--key", metavar="NAME", help="The column there; otherwise id.")
@option(
    "--bump",
    type=click.Choice(["major", "minor", "patch"]),
    default="minor",
    help="Which number of the schema version grows.",
)
@option("--dialect", type=click.Choice(["sqlite", "postgres"]), help="For this dialect alone.")
@option("--edit", is_flag=True, help="Open the files in $VISUAL, or $EDITOR.")
def new(
    session: Session, name: str, pattern: str | None, bump: str, dialect: Dialect | None, edit: bool, **chosen: Any
) -> int:
    from runner.operations.new import new as begin
    from runner.operations.new import target_folders
    from runner.operations.pattern_values import Choice

    session.read_json_setting()
    folders = target_folders(session.own_sql, dialect, lambda: session.url.dialect)
    made = begin(folders, name, pattern, Choice(**chosen), bump=bump)
    if edit:
        _edit(made.files)
    return session.answer("" if session.quiet else _text(made), _data(made))


new.help = _HELP + "\n".join(
    f"{pattern.name:<17} {' '.join(f'--{need}' for need in pattern.needs)}\n{'':<18}{pattern.summary}"
    for pattern in PATTERNS.values()
)


def _text(made: NewMigration) -> str:
    after = f", after {made.depends}" if made.depends else ""
    version = f", version {made.version}" if made.version else ""
    return "\n".join([f"{made.id}{version}{after}:", *(f"  {file}" for file in made.files)])


def _data(made: NewMigration) -> dict[str, Any]:
    return {
        "id": made.id,
        "files": [str(file) for file in made.files],
        "version": made.version,
        "revision": made.revision,
        "depends": made.depends,
    }


def _edit(files: tuple[Path, ...]) -> None:
    """Open the files in the user's editor, and wait until it is closed."""
    import os
    import shlex
    import subprocess

    editor = os.environ.get("VISUAL") or os.environ.get("EDITOR") or "vi"
    try:
        code = subprocess.run([*shlex.split(editor), *map(str, files)], check=False).returncode
        problem = f"it ended with {code}" if code else ""
    except (OSError, ValueError) as error:
        problem = getattr(error, "strerror", None) or str(error)
    if problem:
        raise MaxwellError(
            f"the editor '{editor}' failed: {problem}",
            code="EDITOR_FAILED",
            hint=f"The files are there: {', '.join(map(str, files))}. Set VISUAL or EDITOR.",
        )
