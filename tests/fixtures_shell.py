"""An environment for commands as somebody types them."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from tests.support.tool import clean_environment


@pytest.fixture
def shell(tmp_path: Path) -> dict[str, str]:
    """An environment in which ``maxwell-db`` is this checkout's."""
    program = tmp_path / "bin" / "maxwell-db"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m runner "$@"\n')
    program.chmod(0o755)
    return clean_environment({"PATH": f"{program.parent}{os.pathsep}{os.environ['PATH']}"})
