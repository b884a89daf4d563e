"""The page on the cut-over says what is so: its commands are run, its tables are compared with the program."""

from __future__ import annotations

import os
import re
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from runner.transfer.kinds import KINDS, LOSSY
from runner.transfer.mapping import read_map
from tests.support.databases import Database, sqlite_database
from tests.support.maxwell_rows import sample_rows
from tests.support.maxwell_schema import POSTGRES_ONLY
from tests.support.tool import ROOT, clean_environment, maxwell_db

PAGE = (ROOT / "docs" / "sqlite-to-postgres.md").read_text()
COMMANDS = re.findall(r"^ *```sh\n(.*?)^ *```$", PAGE, re.MULTILINE | re.DOTALL)
(MAP,) = re.findall(r"^```toml\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


def test_the_runbook_ends_in_a_whole_database_at_2_0_0_and_a_frozen_source(
    make_database: Callable[[str], Database], tmp_path: Path
) -> None:
    program = tmp_path / "bin" / "maxwell-db"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m runner "$@"\n')
    program.chmod(0o755)
    rehearsal, target = make_database("postgres"), make_database("postgres")
    source = sqlite_database(tmp_path / "maxwell.db")
    assert maxwell_db("apply", "1.1.0", database=source).exit_code == 0
    source.script(sample_rows("1.1.0"))
    environment = clean_environment(
        {
            "PATH": f"{program.parent}{os.pathsep}{os.environ['PATH']}",
            "SOURCE": "sqlite:///maxwell.db",
            "REHEARSAL": rehearsal.url,
            "TARGET": target.url,
        }
    )

    def run(block: str) -> None:
        done = subprocess.run(
            ["bash", "-e", "-c", block], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{block}\n{done.stdout}{done.stderr}"

    *forward, back = COMMANDS
    assert len(forward) == 5 and "--freeze-source" in forward[3]
    for block in forward:
        run(block)
    status = maxwell_db("--json", "status", database=target).json()
    assert (status["version"], status["pending"]) == (POSTGRES_ONLY.version, 0)
    assert maxwell_db("verify", database=target, sql=None).exit_code == 0
    assert target.value("SELECT count(*) FROM manuscripts") == 2
    with closing(sqlite3.connect(tmp_path / "maxwell.db")) as connection, pytest.raises(sqlite3.IntegrityError):
        connection.execute("DELETE FROM manuscripts")
    run(back)
    source.script("UPDATE manuscripts SET title = title")


def test_the_page_names_every_kind_with_its_actions_and_no_others() -> None:
    rows = re.findall(r"^\| (`[a-z0-9` -]+`) \|[^|]*\| ([^|]*) \|$", PAGE, re.MULTILINE)
    found = {
        kind: set(re.findall(r"`([a-z0-9-]+)`", actions))
        for kinds, actions in rows
        for kind in re.findall(r"`([a-z0-9-]+)`", kinds)
    }
    assert found == {name: set(kind.actions) for name, kind in KINDS.items()}


def test_the_page_names_every_action_that_loses_something() -> None:
    (line,) = (line for line in PAGE.splitlines() if "lose something" in line)
    assert set(re.findall(r"`([a-z]+)`", line)) - {"lost"} == LOSSY - {"skip", "default"}


def test_the_page_s_map_can_be_read(tmp_path: Path) -> None:
    (tmp_path / "map.toml").write_text(MAP)
    mapping = read_map(tmp_path / "map.toml")
    assert mapping.action("epoch", "timeline_events", "story_date") == "seconds"
    assert mapping.action("orphan", "scenes", "pov_character_fk") == "null"
    assert mapping.action("orphan", "scenes", "manuscript_id") is None
    assert mapping.lost == tmp_path / "lost.jsonl"
