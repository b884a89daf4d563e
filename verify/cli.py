"""``python -m verify``: the checks without the runner, for a shell, a cron job or another tool's users."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, NoReturn

from verify.connect import mask_password, open_read_only
from verify.errors import VerifyError
from verify.model import Check, VerifyReport
from verify.render import render_error, render_list, render_report
from verify.run import list_checks, select, verify

VIOLATIONS = 4


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise VerifyError(message, code="USAGE", hint="--help shows the options.")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code: 0 whole, 1 failed, 2 usage or configuration, 4 violations."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    as_json = "--json" in arguments
    url: str | None = None
    try:
        options = _parser().parse_args(arguments)
        url = options.database or os.environ.get("DATABASE_URL")
        if not url:
            raise VerifyError("no database", code="NO_URL", hint="Give --database URL, or set DATABASE_URL.")
        return _run(options, url)
    except VerifyError as error:
        _show_error(error, url, as_json)
        return error.exit_code
    except SystemExit as done:  # --help
        return int(done.code or 0)
    except BrokenPipeError:  # "| head" has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="python -m verify",
        description="Check that the data of a SQLite or PostgreSQL database is whole. Reads only.",
        epilog="Exit codes: 0 whole, 1 failed or not all checked, 2 usage or configuration, 4 violations found.",
        allow_abbrev=False,
    )
    parser.add_argument("-d", "--database", metavar="URL", help="the database; else DATABASE_URL of the environment")
    parser.add_argument(
        "--only", metavar="NAME", action="append", default=[], help="this check, or a pattern: 'orphan:*'"
    )
    parser.add_argument(
        "--checks", metavar="DIR", action="append", default=[], type=Path, help="a folder of more checks"
    )
    parser.add_argument("--sample", metavar="N", type=_number, default=5, help="violations shown of each check (5)")
    parser.add_argument("--list", action="store_true", help="show the checks for this database, run none")
    parser.add_argument("--sql", action="store_true", help="show the checks as SQL to run by hand, run none")
    parser.add_argument("--json", action="store_true", help="one JSON object on standard output")
    parser.add_argument("--fail-on", choices=("warn", "error"), default="warn", help="what gives exit code 4 (warn)")
    parser.add_argument(
        "--budget", metavar="SECONDS", type=_seconds, help="stop after so long, the most important checks first"
    )
    parser.add_argument("-q", "--quiet", action="store_true", help="show only checks that found something")
    return parser


def _number(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is not a number")
    return int(text)


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is no time in seconds")
    return seconds


def _run(options: argparse.Namespace, url: str) -> int:
    connection, dialect = open_read_only(url)
    with closing(connection):
        if options.list or options.sql:
            checks = select(list_checks(connection, dialect, options.checks), options.only)
            _show_checks(checks, options, _head(url, dialect, 0))
            return 0
        report = verify(
            connection,
            dialect,
            checks_dirs=options.checks,
            only=options.only,
            sample=options.sample,
            budget=options.budget,
        )
    error = None
    exit_code = VIOLATIONS if report.failed(options.fail_on) else 0
    if report.not_run and not exit_code:
        error = VerifyError(
            f"the budget of {options.budget:g} s was spent:"
            f" {report.not_run} of {len(report.checks)} checks were not run",
            code="BUDGET_SPENT",
            hint="Nothing is said of those. Give it more time, or name with --only what matters most.",
            exit_code=1,
        )
        exit_code = error.exit_code
    _show_report(report, options, _head(url, dialect, exit_code), error)
    return exit_code


def _head(url: str | None, dialect: str | None, exit_code: int) -> dict[str, Any]:
    return {
        "command": "verify",
        "ok": exit_code == 0,
        "exit_code": exit_code,
        "database": None if url is None else mask_password(url),
        "dialect": dialect,
    }


def _show_report(
    report: VerifyReport, options: argparse.Namespace, head: dict[str, Any], error: VerifyError | None
) -> None:
    if options.json:
        told = {} if error is None else {"error": error.as_dict()}
        _print(json.dumps(head | report.as_dict() | told, ensure_ascii=False))
    elif text := render_report(report, color=_color(sys.stdout), quiet=options.quiet):
        _print(text)
    if error is not None:
        print(render_error(error, color=_color(sys.stderr)), file=sys.stderr)


def _show_checks(checks: Sequence[Check], options: argparse.Namespace, head: dict[str, Any]) -> None:
    if options.json:
        rows = [
            {
                "name": check.name,
                "kind": check.kind,
                "severity": check.severity,
                "summary": check.summary,
                "requires": list(check.requires),
                "sql": check.sql,
            }
            for check in checks
        ]
        _print(json.dumps(head | {"checks": rows}, ensure_ascii=False))
    else:
        _print(render_list(checks, sql=options.sql))


def _show_error(error: VerifyError, url: str | None, as_json: bool) -> None:
    if as_json:
        scheme = (url or "").partition(":")[0].partition("+")[0].lower()
        dialect = {"sqlite": "sqlite", "postgresql": "postgres", "postgres": "postgres"}.get(scheme)
        _print(json.dumps(_head(url, dialect, error.exit_code) | {"error": error.as_dict()}, ensure_ascii=False))
    print(render_error(error, color=_color(sys.stderr)), file=sys.stderr)


def _print(text: str) -> None:
    # A terminal or pipe that is not UTF-8 gets question marks rather than a traceback.
    encoding = sys.stdout.encoding or "utf-8"
    print(text.encode(encoding, "replace").decode(encoding), flush=True)


def _color(stream: Any) -> bool:
    return bool(stream.isatty()) and not os.environ.get("NO_COLOR")
