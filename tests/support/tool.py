"""Call maxwell-db as a user does: in this process where that will do, as a program of its own where it must be one."""

from __future__ import annotations

import contextlib
import io
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

from runner.cli import main
from tests.support.databases import Database

ROOT = Path(__file__).resolve().parents[2]
MAXWELL = ROOT / "sql"
OPTIONS = ("--no-config-file", "--batch")


@dataclass(frozen=True)
class Result:
    exit_code: int
    stdout: str
    stderr: str

    def json(self) -> dict[str, Any]:
        """The one JSON object on stdout."""
        answer: dict[str, Any] = json.loads(self.stdout)
        return answer


def maxwell_db(
    *arguments: str,
    database: Database | str | None = None,
    sql: Path | None = MAXWELL,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
) -> Result:
    """Run the command line in this process, in an empty folder unless ``cwd`` names one, with a clean environment."""
    stdout, stderr = io.StringIO(), io.StringIO()
    with contextlib.ExitStack() as stack:
        folder = cwd or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        stack.enter_context(contextlib.chdir(folder))
        stack.enter_context(patch.dict(os.environ, clean_environment(env), clear=True))
        stack.enter_context(contextlib.redirect_stdout(stdout))
        stack.enter_context(contextlib.redirect_stderr(stderr))
        code = main([*_common(database, sql), *arguments])
    return Result(code, stdout.getvalue(), stderr.getvalue())


def maxwell_db_process(
    *arguments: str,
    database: Database | str | None = None,
    sql: Path | None = MAXWELL,
    env: Mapping[str, str] | None = None,
    cwd: Path,
) -> Result:
    """Run it as a program of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "runner", *_common(database, sql), *arguments],
        cwd=cwd,
        env=clean_environment(env),
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=120,
        check=False,
    )
    return Result(done.returncode, done.stdout, done.stderr)


def yoyo(*arguments: str, database: Database, sources: Path, cwd: Path) -> Result:
    """Run the real yoyo command, in batch mode and without a configuration file."""
    command, *rest = arguments
    done = subprocess.run(
        [sys.executable, "-m", "yoyo", command, *OPTIONS, "--database", database.url, *rest, str(sources)],
        cwd=cwd,
        env=clean_environment(None),
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=120,
        check=False,
    )
    return Result(done.returncode, done.stdout, done.stderr)


def clean_environment(more: Mapping[str, str] | None) -> dict[str, str]:
    """This process's environment without what would configure the tool or libpq, and with ``more``."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("MAXWELL_DB_", "PG")) and name not in ("DATABASE_URL", "NO_COLOR")
    }
    return kept | {"PYTHONPATH": str(ROOT)} | dict(more or {})


def _common(database: Database | str | None, sql: Path | None) -> list[str]:
    url = database.url if isinstance(database, Database) else database
    return [*(["--database", url] if url else []), *(["--sql", str(sql)] if sql else [])]
