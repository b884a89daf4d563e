"""The GitHub Action: its file, and its steps, run here as the shell steps that they are."""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
import xml.etree.ElementTree as ET
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from runner.cli.names import COMMANDS
from tests.support.checkouts import commit, copy_of_this_checkout, repository, run
from tests.support.migrations import Folder
from tests.support.tool import ROOT

ACTION: dict[str, Any] = yaml.safe_load((ROOT / "action.yml").read_text())
STEPS: list[dict[str, Any]] = ACTION["runs"]["steps"]
SCRIPTS = {step["id"]: ROOT / "action" / f"{step['id']}.sh" for step in STEPS if "run" in step}

FIRST, SECOND = "20260101_0900_notes_add_table", "20260102_0900_notes_add_shelf"


@dataclass(frozen=True)
class Step:
    """What a step did, as GitHub sees it."""

    exit_code: int
    log: str
    outputs: dict[str, str]
    summary: str


@pytest.fixture
def application(tmp_path: Path) -> Path:
    """A checkout of a project with a migration in both dialects, on its branch main."""
    folder = tmp_path / "work"
    for dialect in ("sqlite", "postgres"):
        Folder(folder / "db" / dialect).add(
            FIRST, "CREATE TABLE note (\n    id INTEGER NOT NULL PRIMARY KEY\n);\n", "-- Undo.\nDROP TABLE note;\n"
        )
    repository(folder)
    return folder


def add_shelf(application: Path, rollback: str = "-- Undo.\nDROP TABLE shelf;\n") -> None:
    for dialect in ("sqlite", "postgres"):
        text = "CREATE TABLE shelf (\n    id INTEGER NOT NULL PRIMARY KEY\n);\n"
        Folder(application / "db" / dialect).add(SECOND, text, rollback, depends=FIRST)


@pytest.fixture
def step(application: Path, tmp_path: Path) -> Callable[..., Step]:
    """Run a step with the inputs' defaults, or those given, in the environment that GitHub makes."""
    program = tmp_path / "bin" / "maxwell-db"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nPYTHONPATH="{ROOT}" exec "{sys.executable}" -m runner "$@"\n')
    program.chmod(0o755)
    (tmp_path / "temp" / "maxwell-db").mkdir(parents=True)

    def go(id: str, action: Path = ROOT, **inputs: str) -> Step:
        assert inputs.keys() <= ACTION["inputs"].keys()
        (found,) = (one for one in STEPS if one.get("id") == id)
        known = {name: str(one["default"]) for name, one in ACTION["inputs"].items()} | {"sql": "db"} | inputs
        environment = {
            "PATH": f"{program.parent}{os.pathsep}{os.environ['PATH']}",
            "GITHUB_ACTION_PATH": str(action),
            "GITHUB_WORKSPACE": str(application),
            "RUNNER_TEMP": str(tmp_path / "temp"),
        }
        for file in ("GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY", "GITHUB_PATH"):
            environment[file] = str(tmp_path / file)
            (tmp_path / file).write_text("")
        for name, expression in found["env"].items():
            which = re.fullmatch(r"\$\{\{ inputs\.([\w-]+) \}\}", expression)
            environment[name] = known[which[1]] if which else sys.executable
        done = run("bash", "-e", "-o", "pipefail", "-c", found["run"], cwd=application, env=environment, expect=None)
        lines = (tmp_path / "GITHUB_OUTPUT").read_text().splitlines()
        outputs = dict(line.split("=", 1) for line in lines)
        return Step(done.returncode, done.stdout + done.stderr, outputs, (tmp_path / "GITHUB_STEP_SUMMARY").read_text())

    return go


def test_every_input_reaches_a_step_and_every_output_comes_from_one() -> None:
    text = (ROOT / "action.yml").read_text()
    used = set(re.findall(r"inputs\.([\w-]+)", text.partition("\nruns:")[2]))
    assert used == ACTION["inputs"].keys()
    for value in re.findall(r"steps\.(\w+)\.outputs\.([\w-]+)", text):
        if value[0] in SCRIPTS:
            assert f"{value[1]}=" in SCRIPTS[value[0]].read_text(), value
    assert all(one.get("description") for one in (*ACTION["inputs"].values(), *ACTION["outputs"].values()))


def test_each_script_is_told_what_it_asks_for_and_nothing_is_put_into_a_command() -> None:
    """An expression in ``run`` would let a branch's name be a command."""
    assert {path.name for path in (ROOT / "action").iterdir()} == {path.name for path in SCRIPTS.values()}
    for one in STEPS:
        if "run" not in one:
            assert re.fullmatch(r"actions/[\w-]+@v\d+", one["uses"])
            continue
        script = SCRIPTS[one["id"]]
        assert os.access(script, os.X_OK) and "${{" not in one["run"] and one["shell"] == "bash"
        asked = set(re.findall(r"INPUT_\w+", script.read_text()))
        assert asked == one["env"].keys(), one["id"]


def test_shellcheck_has_nothing_against_the_scripts() -> None:
    shellcheck = shutil.which("shellcheck", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    if shellcheck is None:
        pytest.skip("shellcheck is not installed; it is in the test extra")
    run(shellcheck, *map(str, SCRIPTS.values()), cwd=ROOT)


def test_lint_shows_findings_at_their_lines_and_fails(application: Path, step: Callable[..., Step]) -> None:
    good = step("lint", squawk="off")
    assert (good.exit_code, good.outputs) == (0, {"errors": "0", "warnings": "0"}), good.log
    add_shelf(application, rollback="-- Undo.\nDROP TABLE note;\n")
    bad = step("lint", squawk="off", since="main")
    assert bad.exit_code == 1
    assert f"::error file=db/sqlite/{SECOND}.rollback.sql,line=2," in bad.log
    assert int(bad.outputs["errors"]) >= 2
    assert f"{bad.outputs['errors']} errors" in bad.summary
    rules = set(re.findall(r"title=([\w-]+)", bad.log))
    ignored = step("lint", squawk="off", ignore=" ".join(rules))
    assert (ignored.exit_code, ignored.outputs["errors"]) == (0, "0")


def test_lint_that_cannot_be_done_says_so(step: Callable[..., Step]) -> None:
    failed = step("lint", since="no-such-branch")
    assert failed.exit_code == 2 and "::error" in failed.log and "could not be done" in failed.summary
    assert "no-such-branch" in failed.log


def test_rehearse_fails_where_the_way_back_does(
    application: Path, step: Callable[..., Step], pg_url: str, tmp_path: Path
) -> None:
    add_shelf(application)
    good = step("rehearse", scratch=pg_url, rows="3")
    assert (good.exit_code, good.outputs) == (0, {"rehearsal": "passed"}), good.log
    assert "rehearse** passed" in good.summary
    junit = ET.parse(tmp_path / "temp" / "maxwell-db" / "artifact" / "rehearsal.xml")
    assert len(list(junit.iter("testcase"))) > 4
    add_shelf(application, rollback="-- Undo nothing.\nSELECT 1;\n")
    bad = step("rehearse", scratch=pg_url, rows="3", dialect="sqlite")
    assert (bad.exit_code, bad.outputs) == (1, {"rehearsal": "failed"})
    assert "::error title=maxwell-db rehearse::" in bad.log and "\n    " in bad.summary


@pytest.mark.skipif("report" not in COMMANDS, reason="the command report is not there")
def test_report_makes_a_page_and_a_summary_of_what_the_change_brings(
    application: Path, step: Callable[..., Step]
) -> None:
    add_shelf(application)
    made = step("report", since="main", dialect="sqlite")
    assert made.exit_code == 0, made.log
    page = Path(made.outputs["report"])
    assert page.name == "report.html" and SECOND in page.read_text()
    assert made.summary == page.with_suffix(".md").read_text() and SECOND in made.summary
    status = run(
        sys.executable,
        *(
            "-m",
            "runner",
            "--json",
            "-d",
            f"sqlite:///{page.parent.parent}/report.db",
            "--sql",
            str(application / "db"),
        ),
        "status",
        cwd=application,
        env={"PYTHONPATH": str(ROOT)},
    )
    states = [one["state"] for one in json.loads(status.stdout)["migrations"]]
    assert states == ["applied", "pending"]  # as the branch main has it


def test_report_without_sqlite_and_without_a_database_says_what_it_needs(
    application: Path, step: Callable[..., Step]
) -> None:
    shutil.rmtree(application / "db" / "sqlite")
    commit(application)
    made = step("report")
    assert (made.exit_code, made.outputs) == (0, {})
    assert "::notice" in made.log and "name a database" in made.log


def test_install_puts_the_one_program_on_the_path(step: Callable[..., Step], tmp_path: Path) -> None:
    done = step("install", copy_of_this_checkout(tmp_path / "action"), dialect="sqlite")
    assert done.exit_code == 0, done.log
    (folder,) = (tmp_path / "GITHUB_PATH").read_text().splitlines()
    assert [path.name for path in Path(folder).iterdir()] == ["maxwell-db"]
    assert run(f"{folder}/maxwell-db", "--version", cwd=tmp_path).stdout.startswith("maxwell-db ")
    assert (Path(folder).parent / "venv" / "bin" / "squawk").exists()
