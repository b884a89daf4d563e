"""An environment for commands as somebody types them."""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path

import pytest

from tests.support.shells import psql_program, sqlite_program
from tests.support.tool import clean_environment


@pytest.fixture
def shell(tmp_path: Path) -> dict[str, str]:
    """An environment in which ``maxwell-db`` is this checkout's."""
    program = tmp_path / "bin" / "maxwell-db"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m runner "$@"\n')
    program.chmod(0o755)
    return clean_environment({"PATH": f"{program.parent}{os.pathsep}{os.environ['PATH']}"})


@pytest.fixture
def programs(shell: dict[str, str], tmp_path: Path) -> dict[str, str]:
    """The same, in which Python, yoyo and the programs of both databases can be called too."""
    for name, command in (
        ("sqlite3", sqlite_program()),
        ("psql", (psql_program(), "--no-psqlrc")),
        ("yoyo", (sys.executable, "-m", "yoyo")),
        ("python", (sys.executable,)),
    ):
        program = tmp_path / "bin" / name
        program.write_text(f'#!/bin/sh\nexec {shlex.join(command)} "$@"\n')
        program.chmod(0o755)
    return shell
