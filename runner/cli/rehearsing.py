"""The commands that work on scratch databases: drift, rehearse."""

from __future__ import annotations

from typing import Any

import click

from runner.cli.options import command, option
from runner.cli.session import Session
from runner.errors import EXIT_HISTORY, HistoryError, MaxwellError
from runner.interruption import interruptible


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


scratch_option = option(
    "--scratch",
    type=ServerUrl(),
    metavar="URL",
    help="The PostgreSQL server on which the scratch database is made, and dropped again.",
)


@command("drift")
@scratch_option
def drift(session: Session, scratch: str | None) -> int:
    """Compare the database's schema with what its applied migrations make on a scratch database; exit 6 if they differ.

    Writes nothing to the database. A scratch database for PostgreSQL is made on its own server, or where the role may
    not do that, on the one that the pg extra brings along.
    """
    from runner.cli import render_rehearsal as render
    from runner.operations.drift import drift as find_drift

    project = session.project()
    report = interruptible(lambda: find_drift(project, scratch=scratch))
    data = render.drift_data(report)
    if not report.differences:
        return session.answer("" if session.quiet else render.drift_text(report, project.url), data)
    error = HistoryError(
        f"the schema differs from what its migrations make in {render.count(len(report.differences), 'object')}",
        code="DRIFT",
        hint="Put what shall stay into a migration, and undo the rest by hand.",
    )
    return session.answer(render.drift_text(report, project.url), data | {"error": error.as_dict()}, EXIT_HISTORY)
