"""The command plan: the exact SQL of a run, for who has to see it, or to run it by another program."""

from __future__ import annotations

import json
from pathlib import Path

import click

from runner.cli.options import (
    Target,
    command,
    ddl_lock_option,
    ddl_lock_try_option,
    option,
    statement_timeout_option,
)
from runner.cli.session import Session
from runner.domain.options import ApplyOptions
from runner.domain.outcome import Direction
from runner.errors import UsageError


@command("plan")
@click.argument("target", metavar="[T]", type=Target(), required=False)
@option("--rollback", is_flag=True, help="The way back instead: everything after T, or the last one.")
@option("--output", "-o", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE", help="Write it to a file.")
@option("--allow-out-of-order", is_flag=True, help="Apply what is older than something applied already.")
@ddl_lock_option
@ddl_lock_try_option
@statement_timeout_option
def plan(
    session: Session,
    target: str | None,
    rollback: bool,
    output: Path | None,
    allow_out_of_order: bool,
    ddl_lock_timeout: float,
    ddl_lock_try: float,
    statement_timeout: float,
) -> int:
    """Show the exact SQL that apply up to T (default head) would run, bookkeeping included. Writes nothing.

    Piped into sqlite3 or psql it leaves the state that apply leaves, and stops by itself if the database is in another
    one. With --json it is a document that 'apply --plan FILE' carries out, or refuses if anything has changed.
    """
    from runner.operations.planning import make_plan
    from runner.operations.reviewed import plan_document

    options = ApplyOptions(
        allow_out_of_order=allow_out_of_order,
        ddl_lock_timeout=ddl_lock_timeout,
        ddl_lock_try=ddl_lock_try,
        statement_timeout=statement_timeout,
    )
    direction = Direction.ROLLBACK if rollback else Direction.APPLY
    made = make_plan(session.project(), direction, target, options)
    data = {"plan": plan_document(made)}
    if output is None:
        return session.answer(made.sql.rstrip("\n"), data)
    _write(output, json.dumps(data, indent=2, ensure_ascii=False) if session.json else made.sql)
    count = len(made.steps)
    verb = "roll back" if rollback else "apply"
    text = f"{output}: {count} migration{'' if count == 1 else 's'} to {verb}."
    return session.answer("" if session.quiet else text, data)


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text if text.endswith("\n") else f"{text}\n", encoding="utf-8")
    except OSError as error:
        raise UsageError(
            f"cannot write {path}: {error.strerror}", code="CANNOT_WRITE", hint="Correct --output."
        ) from error
