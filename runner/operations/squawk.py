"""squawk's rules for PostgreSQL, run by its own program: which locks a statement takes, and what it makes wait."""

from __future__ import annotations

import json
import shutil
import subprocess
import sysconfig
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from runner.errors import MaxwellError, UsageError
from runner.rules.ignoring import SQUAWK
from runner.rules.model import File, Finding

PG_VERSION = "13"  # the oldest that will do
_SECONDS = 120
#: squawk's rules that do not apply here, and why.
EXCLUDED = {
    "require-lock-timeout": "the runner sets it for each migration, and tries again",
    "require-statement-timeout": "the runner sets it: --statement-timeout",
    "prefer-robust-stmts": "a migration is one transaction, so nothing of it is there when it is tried again",
    "prefer-text-field": "types are those that both dialects have, so that the schemas stay equal",
    "prefer-timestamp-tz": "times are UTC and without a zone in both dialects",
    "prefer-bigint-over-int": "types are those that both dialects have, so that the schemas stay equal",
    "prefer-bigint-over-smallint": "types are those that both dialects have, so that the schemas stay equal",
    "prefer-identity": "types are those that both dialects have, so that the schemas stay equal",
    "ban-drop-table": "the rule destructive-statement knows what the header expects",
    "ban-drop-column": "the rule drop-column knows what the header expects",
    "adding-required-field": "the rule not-null-without-default says it for both dialects",
}
#: These do not matter where the key's column was added in the same file: it holds nothing that would be looked at.
_ON_FRESH_COLUMNS = {"constraint-missing-not-valid", "adding-foreign-key-constraint"}


@dataclass(frozen=True)
class SquawkRun:
    """What became of it: ``ran``, ``missing`` (not installed), ``unneeded`` (no PostgreSQL file) or ``off``."""

    status: Literal["ran", "missing", "unneeded", "off"]
    findings: tuple[Finding, ...] = ()

    @staticmethod
    def off() -> SquawkRun:
        return SquawkRun("off")


def run_squawk(files: Sequence[File], required: bool) -> SquawkRun:
    """squawk's findings in apply files. A rollback undoes what was just done, and its drops are what it is for.

    UsageError where the program is ``required`` and not installed, MaxwellError where it fails.
    """
    program = _program()
    if program is None:
        if required:
            raise UsageError(
                "squawk is not installed",
                code="SQUAWK_MISSING",
                hint="pip install 'maxwell-db[lint]'; or leave out its rules with --squawk off.",
            )
        return SquawkRun("missing" if files else "unneeded")
    if not files:
        return SquawkRun("unneeded")
    by_path = {str(file.path.resolve()): file for file in files}
    found: list[Finding] = []
    for transactional in (True, False):
        mine = [path for path, file in by_path.items() if file.migration.transactional is transactional]
        for start in range(0, len(mine), 500):  # a command line has an end
            found += _findings(_ask(program, mine[start : start + 500], transactional), by_path)
    return SquawkRun("ran", tuple(found))


def _program() -> str | None:
    """The one of this environment, else the one that the shell would find."""
    beside = Path(sysconfig.get_path("scripts")) / "squawk"
    return str(beside) if beside.exists() else shutil.which("squawk")


def _ask(program: str, paths: Sequence[str], transactional: bool) -> list[dict[str, Any]]:
    if not paths:
        return []
    command = [program, "--reporter", "json", "--pg-version", PG_VERSION, "--exclude", ",".join(EXCLUDED)]
    command += ["--assume-in-transaction"] if transactional else []
    try:
        done = subprocess.run(
            [*command, "--", *paths], stdin=subprocess.DEVNULL, capture_output=True, timeout=_SECONDS, check=False
        )
        answer = json.loads(done.stdout or "[]")
        if done.returncode not in (0, 1) or (done.returncode == 1 and not answer):
            raise ValueError(done.stderr.decode(errors="replace"))
    except (OSError, subprocess.TimeoutExpired, ValueError) as error:
        raise MaxwellError(
            f"squawk failed: {' '.join(str(error).split())[:300]}",
            code="SQUAWK_FAILED",
            hint="Install the version of 'maxwell-db[lint]', or leave out its rules with --squawk off.",
        ) from error
    found: list[dict[str, Any]] = answer
    return found


def _findings(answer: Sequence[dict[str, Any]], by_path: dict[str, File]) -> list[Finding]:
    found = []
    for one in answer:
        file = by_path[one["file"]]
        line, rule = int(one["line"]) + 1, str(one["rule_name"])
        if rule in _ON_FRESH_COLUMNS and _is_on_fresh_columns(file, line):
            continue
        found.append(
            Finding(
                SQUAWK + rule,
                "error" if one["level"] == "Error" else "warn",
                file.path,
                line,
                int(one["column"]) + 1,
                str(one["message"]),
                str(one.get("help") or f"See https://squawkhq.com/docs/{rule}."),
                file.line(line),
            )
        )
    return found


def _is_on_fresh_columns(file: File, line: int) -> bool:
    """Does the statement at a line add a foreign key on columns that the same file has added?"""
    fresh: set[tuple[str, str]] = set()
    for statement in file.statements:
        last = file.place(statement.start + len(statement.text) - 1)[0]
        for effect in statement.effects:
            if effect.verb == "create" and effect.kind == "column" and not effect.columns[0].default:
                fresh.add((effect.table, effect.name))
            if effect.kind == "constraint" and effect.keys and file.place(statement.start)[0] <= line <= last:
                return all((effect.table, column) in fresh for key in effect.keys for column in key.columns)
    return False
