"""The documents say what the program does: their transcripts are run, their lists are compared with the code."""

from __future__ import annotations

import ast
import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from runner import __version__
from runner.cli.group import cli
from runner.cli.names import ALIASES, COMMANDS
from tests.support.databases import sqlite_database
from tests.support.migrations import Folder
from tests.support.tool import ROOT, maxwell_db
from tests.support.transcripts import WHO, WRITING, blocks, desk, follow

README = ROOT / "README.md"
INDEX = ROOT / "docs" / "commands.md"
PAGES = ROOT / "docs" / "commands"
PAGES_OF_ALL = [README, ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
HEADINGS = ["## Example", "## JSON", "## Exit codes", "## Options"]
COMMON_KEYS = {"command", "ok", "exit_code", "database", "dialect", "error"}
CALL = re.compile(r"(?:`|^ {4}|^\$ |^)maxwell-db ((?:[\w-]+ )*[^`\n|>&;]*)", re.MULTILINE)
HELP = re.compile(r"<!-- help: ([\w-]+) -->\n(?:\n```text\n.*?\n```\n)?", re.DOTALL)


def test_the_readme_s_transcripts_are_what_the_program_prints(tmp_path: Path, shell: dict[str, str]) -> None:
    """``MAXWELL_WRITE_DOCS=1`` writes them anew."""
    with desk(tmp_path, shell) as sitting:
        assert follow(README, sitting) >= 8


def test_the_readme_names_every_command_alias_and_common_option() -> None:
    page = README.read_text()
    for name in (*COMMANDS, *ALIASES):
        assert re.search(rf"`{name}\b", page), name
    for parameter in cli.params:
        assert any(f"{option}" in page for option in parameter.opts) or parameter.name in ("version", "help")


@pytest.mark.parametrize("name", ["maxwell-db", *COMMANDS])
def test_every_command_has_a_page_with_its_own_help(name: str) -> None:
    """``MAXWELL_WRITE_DOCS=1`` writes the help anew; the page itself is written by hand."""
    page = INDEX if name == "maxwell-db" else PAGES / f"{name}.md"
    assert page.is_file(), f"write {page.relative_to(ROOT)}: its headings are those of docs/commands/status.md"
    text = HELP.sub(lambda match: f"<!-- help: {match[1]} -->\n\n```text\n{_help(match[1])}\n```\n", page.read_text())
    if WRITING:
        page.write_text(text)
    assert f"<!-- help: {name} -->\n\n```text\n{_help(name)}\n```\n" in page.read_text()
    if name != "maxwell-db":
        assert re.findall("^#+ .*$", text, re.MULTILINE) == [f"# {name}", *HEADINGS]


def test_the_list_of_commands_leads_to_every_page_and_no_other() -> None:
    assert {page.stem for page in PAGES.iterdir()} == set(COMMANDS)
    for name in COMMANDS:
        assert f"[`{name}`](commands/{name}.md)" in INDEX.read_text(), name
        assert f"[`{name}`](docs/commands/{name}.md)" in README.read_text(), name


@pytest.mark.parametrize("name", [*COMMANDS])
def test_a_page_s_example_and_its_json(
    name: str, tmp_path: Path, programs: dict[str, str], request: pytest.FixtureRequest
) -> None:
    """The example is run, in an empty folder; each key of the JSON that its last command gives is explained.

    ``MAXWELL_WRITE_DOCS=1`` writes what the commands print.
    """
    page = (PAGES / f"{name}.md").read_text()
    env, names = programs, WHO
    if "$TARGET" in page:
        target = request.getfixturevalue("make_database")("postgres")
        shown = maxwell_db("--json", "history", database=target).json()["database"]
        env, names = env | {"TARGET": target.url}, {shown: "postgresql://maxwell@db.example/maxwell"} | WHO
    (tmp_path / "desk").mkdir()
    with desk(tmp_path / "desk", env, names) as sitting:
        assert follow(PAGES / f"{name}.md", sitting) >= 1
        last = re.findall(rf"^\$ maxwell-db ({name}\b[^|>\n]*)", page, re.MULTILINE)[-1]
        answer = json.loads(sitting.run(f"maxwell-db --json {last} 2>/dev/null"))
    explained = page[page.index("## JSON") : page.index("## Exit codes")]
    assert [key for key in answer if key not in COMMON_KEYS and f"`{key}`" not in explained] == []


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


@pytest.mark.parametrize("page", PAGES_OF_ALL, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_call_in_a_page_is_one_that_the_program_takes(page: Path) -> None:
    """Those in a text or in a block that is not run: command and options are there."""
    for call in set(CALL.findall(page.read_text())) - {__version__}:  # what --version prints
        words = shlex.split(call.split("  #")[0])
        result = maxwell_db(*words, "--help", sql=None)
        assert result.exit_code == 0, f"{page.name}: maxwell-db {call}\n{result.stderr}"


def test_the_calls_at_the_top_of_the_checks_page_run(tmp_path: Path, programs: dict[str, str]) -> None:
    page = (ROOT / "docs" / "checks.md").read_text()
    calls = re.findall(r"^    ((?:maxwell-db|python -m) verify.*)$", page, re.MULTILINE)
    with desk(tmp_path, programs | {"DATABASE_URL": "sqlite:///maxwell.db"}) as sitting:
        sitting.run("maxwell-db apply")
        for call in calls:
            assert sitting.run(f"{call.partition('  #')[0]} >printed; echo $?") == "0\n", call
    assert len(calls) == 5


def test_the_license_changelog_and_links_are_there() -> None:
    for page in PAGES_OF_ALL:
        for target, anchor in re.findall(r"\]\((?!https?:)([^)#]*)(?:#([^)]+))?\)", page.read_text()):
            file = page.parent / target if target else page
            assert file.exists(), f"{page.name}: {target}"
            assert not anchor or anchor in _anchors(file), f"{page.name}: {target}#{anchor}"
    assert (ROOT / "LICENSE").read_text().startswith("MIT License")


def test_every_page_is_reached_from_the_readme() -> None:
    reached, ahead = set[Path](), [README]
    while ahead:
        page = ahead.pop()
        if page not in reached:
            reached.add(page)
            links = re.findall(r"\]\((?!https?:)([^)#]+\.md)", page.read_text())
            ahead += [(page.parent / link).resolve() for link in links]
    assert set(PAGES_OF_ALL) - reached == set()


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


def _anchors(page: Path) -> set[str]:
    """What a page's headings are called in links."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


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
