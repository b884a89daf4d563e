"""The documents say what the program does: their transcripts are run, their lists are compared with the code."""

from __future__ import annotations

import ast
import os
import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from runner.cli import ALIASES, COMMANDS, cli
from tests.support.databases import sqlite_database
from tests.support.migrations import Folder
from tests.support.tool import ROOT
from tests.support.transcripts import blocks, desk, follow

README = ROOT / "README.md"
COMMANDS_PAGE = ROOT / "docs" / "commands.md"
HELP = re.compile(r"<!-- help: ([\w-]+) -->\n(?:\n```text\n.*?\n```\n)?", re.DOTALL)


def test_the_readme_s_transcripts_are_what_the_program_prints(tmp_path: Path, shell: dict[str, str]) -> None:
    """``MAXWELL_WRITE_DOCS=1`` writes them anew."""
    with desk(tmp_path, shell) as sitting:
        assert follow(README, sitting) >= 10


def test_the_readme_names_every_command_alias_and_common_option() -> None:
    page = README.read_text()
    for name in (*COMMANDS, *ALIASES):
        assert re.search(rf"`{name}\b", page), name
    for parameter in cli.params:
        assert any(f"{option}" in page for option in parameter.opts) or parameter.name in ("version", "help")


@pytest.mark.parametrize("name", ["maxwell-db", *COMMANDS])
def test_the_command_page_has_each_command_s_own_help(name: str) -> None:
    """``MAXWELL_WRITE_DOCS=1`` writes the page anew."""
    page = COMMANDS_PAGE.read_text()
    written = HELP.sub(lambda match: f"<!-- help: {match[1]} -->\n\n```text\n{_help(match[1])}\n```\n", page)
    if os.environ.get("MAXWELL_WRITE_DOCS"):
        COMMANDS_PAGE.write_text(written)
        page = written
    assert f"<!-- help: {name} -->\n\n```text\n{_help(name)}\n```\n" in page


@pytest.mark.parametrize("name", [*COMMANDS])
def test_every_command_and_every_option_has_help(name: str) -> None:
    command = cli.get_command(cli.make_context("maxwell-db", [], resilient_parsing=True), name)
    assert command is not None and command.help
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            assert parameter.help, parameter.name


def test_the_error_page_has_the_codes_of_the_program_and_no_others() -> None:
    page = (ROOT / "docs" / "errors.md").read_text()
    assert set(re.findall(r"^\| `([A-Z_]+)` \|", page, re.MULTILINE)) == set(_codes())


def test_the_license_changelog_and_links_are_there() -> None:
    for page in [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")]:
        for target in re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name}: {target}"
    assert (ROOT / "LICENSE").read_text().startswith("MIT License")


def test_the_page_s_rebuild_of_a_table_keeps_its_rows_and_its_children(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "migrations.md").read_text()
    (rebuild,) = (block.text for block in blocks(page) if block.heading == "Rebuilding a table on SQLite")
    folder = Folder(tmp_path / "migrations")
    folder.add(
        "1_reading",
        "CREATE TABLE probe (id INTEGER NOT NULL PRIMARY KEY);\n"
        "CREATE TABLE reading (id INTEGER NOT NULL PRIMARY KEY, probe INTEGER, unit TEXT);\n"
        "CREATE TABLE note (reading INTEGER REFERENCES reading (id) ON DELETE CASCADE);\n"
        "INSERT INTO probe VALUES (1); INSERT INTO reading VALUES (7, 1, 'V'); INSERT INTO note VALUES (7);\n",
    )
    folder.add("2_rebuild", rebuild)
    database = sqlite_database(tmp_path / "readings.db")
    folder.run("apply", "--gate", database=database)
    assert database.query("SELECT id, probe, unit FROM reading") == [(7, 1, "V")]
    assert database.query("SELECT reading FROM note") == [(7,)]


def _help(name: str) -> str:
    """As a user sees it on a terminal of a hundred columns."""
    group = cli.make_context("maxwell-db", [], resilient_parsing=True, terminal_width=100, max_content_width=100)
    if name == "maxwell-db":
        return cli.get_help(group).rstrip()
    command = cli.get_command(group, name)
    assert command is not None
    return command.get_help(click.Context(command, parent=group, info_name=name)).rstrip()


def _codes() -> Iterator[str]:
    """Every string of the runner that is an error's code: an argument of what makes errors."""
    makers = re.compile(r"Error$|Failed$|Timeout$|Found$|^refusal$|^_depends$|^_bad$|^bad$|^telling$")
    for path in (ROOT / "runner").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.Call):
                continue
            name = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
            if not makers.search(name):
                continue
            for value in [*node.args, *(keyword.value for keyword in node.keywords if keyword.arg == "code")]:
                for constant in ast.walk(value):
                    if isinstance(constant, ast.Constant) and re.fullmatch(r"[A-Z]+(_[A-Z]+)*", str(constant.value)):
                        yield str(constant.value)
