"""Verify after a plain ``yoyo apply``: name this folder among the sources of yoyo.ini, or package:verify:hooks.

yoyo runs it once after each apply that applied something. What was applied stays applied and marked; violations go to
stderr and make the command exit 4, an error 1 or 2. The folder holds nothing else, because yoyo would run that too.
"""

import sys
from typing import Any

from yoyo import step

from verify.errors import VerifyError
from verify.render import render_error, render_report, summary_line
from verify.run import verify

__transactional__ = False  # verify opens a read-only snapshot of its own

_DIALECTS = {"sqlite3": "sqlite", "psycopg2": "postgres"}


def check_the_data(connection: Any) -> None:
    """Run every check on yoyo's own connection. Raises SystemExit if one finds something or cannot run."""
    driver = type(connection).__module__.partition(".")[0]
    try:
        if driver not in _DIALECTS:
            raise VerifyError(
                f"cannot verify through the driver {driver}",
                code="UNKNOWN_DRIVER",
                hint="Run: python -m verify --database URL",
                exit_code=1,
            )
        report = verify(connection, _DIALECTS[driver])
    except VerifyError as error:
        print(render_error(error, color=False), file=sys.stderr)
        raise SystemExit(error.exit_code) from None
    if report.failed("warn"):
        print(render_report(report, color=False, quiet=True), file=sys.stderr)
        print(f"verify: {summary_line(report)} What was applied stays applied.", file=sys.stderr)
        raise SystemExit(4)
    print(f"verify: {summary_line(report)}", file=sys.stderr)


steps = [step(check_the_data)]
