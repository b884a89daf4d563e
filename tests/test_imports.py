"""Modules that sleep while another one is imported, and SQLite's library before Python's module starts it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.tool import ROOT, clean_environment


def python(program: str, cwd: Path) -> str:
    """What a new Python prints that runs the program."""
    environment = clean_environment(None) | {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", program]
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=True).stdout.strip()


NEEDS = """
import sleeper
from sleeper import dream
DREAM = dream("now")
def later(): return dream("later")
def told(): return DREAM.upper()
def reached(): return sleeper.dream("by its module")
"""
ASKS = """
import sys
from runner.asleep import import_without
import_without("needs", ["sleeper", "nowhere"])
import needs
print("sleeper" in sys.modules, "nowhere" in sys.modules, type(needs.DREAM).__name__)
print(needs.told(), needs.later(), needs.reached(), "sleeper" in sys.modules)
import sleeper
print(sleeper.dream is needs.sleeper.dream, sleeper.dream("awake"))
"""


def test_a_module_asleep_wakes_when_it_is_asked(tmp_path: Path) -> None:
    (tmp_path / "sleeper.py").write_text("def dream(text): return f'dreamt {text}'\n")
    (tmp_path / "needs.py").write_text(NEEDS)
    assert python(f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n{ASKS}", tmp_path).splitlines() == [
        "False False _Later",
        "DREAMT NOW dreamt later dreamt by its module True",
        "False dreamt awake",
    ]


def test_an_import_that_fails_leaves_nothing_asleep(tmp_path: Path) -> None:
    (tmp_path / "sleeper.py").write_text("")
    (tmp_path / "needs.py").write_text("import sleeper\nraise OSError('no')\n")
    program = """
import sys
from runner.asleep import import_without
try: import_without("needs", ["sleeper"])
except OSError as error: print(error, "sleeper" in sys.modules, "needs" in sys.modules)
"""
    assert python(f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n{program}", tmp_path) == "no False False"


def test_what_is_awake_stays_awake(tmp_path: Path) -> None:
    program = """
import inspect
from runner.asleep import import_without
import_without("dataclasses", ["inspect"])
import dataclasses
print(dataclasses.inspect is inspect)
"""
    assert python(program, tmp_path) == "True"


UNDER_YOYO = """
import sys
from runner.backend import open_backend
from yoyo import read_migrations
from yoyo.backends import base
print("logging" in sys.modules)
base.logger.info("nobody listens")
print("logging" in sys.modules)
import logging
logging.basicConfig(level="INFO", stream=sys.stdout, format="%(name)s: %(message)s")
base.logger.info("applying %s", "a")
base.logger.warning("somebody does")
print(len(read_migrations(sys.argv[0] or ".")), base.get_backend_class("sqlite").__name__)
"""


def test_yoyo_does_all_that_it_did(tmp_path: Path) -> None:
    (tmp_path / "a.sql").write_text("CREATE TABLE a (id INTEGER);\n")
    program = UNDER_YOYO.replace('sys.argv[0] or "."', repr(str(tmp_path)))
    assert python(program, tmp_path).splitlines() == [
        "False",
        "False",
        "yoyo.migrations: applying a",
        "yoyo.migrations: somebody does",
        "1 SQLiteBackend",
    ]


MEMORY = """
import sys
if "lean" in {words!r}:
    from verify.sqlite_library import count_no_memory
    count_no_memory()
import _sqlite3, ctypes, sqlite3
connection = sqlite3.connect(":memory:")
connection.execute("CREATE TABLE a (b)")
print(ctypes.CDLL(_sqlite3.__file__).sqlite3_memory_used() > 0)
"""


@pytest.mark.parametrize(("words", "counted"), [("", True), ("lean", False)])
def test_sqlite_counts_no_memory(words: str, counted: bool, tmp_path: Path) -> None:
    pytest.importorskip("ctypes")
    assert python(MEMORY.format(words=words), tmp_path) == str(counted)


def test_a_sqlite_that_runs_is_left_as_it_is(tmp_path: Path) -> None:
    program = "import sqlite3\nfrom verify.sqlite_library import count_no_memory\ncount_no_memory()\n"
    assert python(program + MEMORY.format(words=""), tmp_path) == "True"
