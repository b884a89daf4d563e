"""What is installed is whole: a wheel built from this tree works in an empty folder, without the tree."""

from __future__ import annotations

import configparser
import json
import shutil
import subprocess
import sys
import venv
from pathlib import Path

import pytest

from tests.support.tool import ROOT, clean_environment


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The python of an environment that has the wheel, and of everything else only what this one has."""
    folder = tmp_path_factory.mktemp("distribution")
    tree = folder / "tree"  # a copy: building leaves its own things beside the source
    for part in ("runner", "verify", "sql"):
        shutil.copytree(ROOT / part, tree / part, ignore=shutil.ignore_patterns("__pycache__"))
    for part in ("setup.cfg", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / part, tree)
    (tree / "docs").mkdir()
    shutil.copy(ROOT / "docs" / "maxwell-db.1", tree / "docs")
    _run(
        sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(folder), str(tree), cwd=folder
    )
    (wheel,) = folder.glob("maxwell_db-*.whl")
    venv.create(folder / "venv", with_pip=True)
    python = folder / "venv" / "bin" / "python"
    _run(str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", str(wheel), cwd=folder)
    return python


def test_an_installed_wheel_brings_maxwell_and_the_checks_into_an_empty_folder(installed: Path, tmp_path: Path) -> None:
    program = str(installed.parent / "maxwell-db")
    applied = json.loads(_run(program, "--json", "apply", cwd=tmp_path))
    assert applied["version"] == "1.3.0"
    assert len(applied["applied"]) == 6
    assert {"scene-position", "integrity-check"} <= {check["name"] for check in applied["verify"]["checks"]}
    assert applied["verify"]["counts"].keys() >= {"manuscripts", "feedback_patterns"}


def test_an_installed_verify_runs_alone(installed: Path, tmp_path: Path) -> None:
    _run(str(installed.parent / "maxwell-db"), "apply", cwd=tmp_path)
    answer = json.loads(
        _run(str(installed), "-m", "verify", "--json", "--database", "sqlite:///maxwell.db", cwd=tmp_path)
    )
    assert answer["ok"] is True
    assert answer["counts"]["manuscripts"] == 0


def test_an_installed_hook_runs_after_a_plain_yoyo_apply(installed: Path, tmp_path: Path) -> None:
    where = _run(
        str(installed), "-c", "import runner, pathlib; print(pathlib.Path(runner.__file__).parent)", cwd=tmp_path
    )
    source = Path(where.strip()) / "maxwell" / "sqlite"
    _run(
        str(installed.parent / "yoyo"),
        "apply",
        "--no-config-file",
        "--batch",
        "--database",
        "sqlite:///maxwell.db",
        str(source),
        "package:verify:hooks",
        cwd=tmp_path,
    )
    status = json.loads(_run(str(installed.parent / "maxwell-db"), "--json", "status", cwd=tmp_path))
    assert status["pending"] == 0


def test_the_metadata_names_every_package() -> None:
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg")
    named = set(config["options"]["packages"].split())
    there = {
        str(path.parent.relative_to(ROOT)).replace("/", ".")
        for top in ("runner", "verify")
        for path in (ROOT / top).rglob("__init__.py")
    }
    assert named == there | {"runner.maxwell"}


def _run(*command: str, cwd: Path) -> str:
    environment = clean_environment({"PYTHONPATH": ""})
    done = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
