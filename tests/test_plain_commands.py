"""``status`` and ``apply`` as they are read without click: they mean the same to click, and click is not imported."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import click
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from runner.cli import changing, group, show_apply, show_status, standing
from runner.cli.names import ALIASES
from runner.cli.plain import OTHERS, OWN_SWITCHES, SWITCHES, WITH_TARGET, WITH_VALUE, plain_call
from runner.cli.session import Session
from tests.support.databases import sqlite_database
from tests.support.tool import MAXWELL, clean_environment, maxwell_db

COMMANDS: dict[str, click.Command] = {"status": standing.status, "apply": changing.apply}
NAMES = (*COMMANDS, *(alias for alias, name in ALIASES.items() if name in COMMANDS))
OWN = tuple(f"--{option}" for options in OWN_SWITCHES.values() for option in options)
VALUES = ("a", "status", "", "-x", "x=y", "--json", "+1")
WORDS = (
    *NAMES,
    *("rollback", "-h", "--help", "--", "-qv", "--nonsense", "--log-format", "json", "-1", "--lock-wait", "--plan=x"),
    *SWITCHES,
    *OWN,
    *WITH_VALUE,
    *(f"{option}={value}" for option in (*WITH_VALUE, "--json") for value in VALUES),
    *VALUES,
)
LIKELY = (*SWITCHES, *OWN, *WITH_VALUE, "status", "apply", "a")


def told(call: Callable[[], int]) -> tuple[str, dict[str, Any]]:
    """The name of what would be called, and all that it would be told, its own defaults left out."""
    assert isinstance(call, partial)
    return call.func.__name__, {name: value for name, value in call.keywords.items() if value not in (None, False)}


def as_click_reads(
    arguments: list[str], monkeypatch: pytest.MonkeyPatch
) -> tuple[dict[str, Any], tuple[str, dict[str, Any]]]:
    session, calls = Session(), list[tuple[str, dict[str, Any]]]()

    def status(_: Session, **given: Any) -> int:
        calls.append(told(partial(show_status.show_status, **given)))
        return 0

    def apply(_: Session, target: str | None, **given: Any) -> int:
        defaults = show_apply.show_apply.__kwdefaults__
        given = {name: value for name, value in given.items() if value != defaults.get(name, False)}
        calls.append(told(partial(show_apply.show_apply, target=target, **given)))
        return 0

    monkeypatch.setattr(
        standing,
        "show_status",
        lambda session, exit_code, read_files: status(session, exit_code=exit_code, read_files=read_files),
    )
    monkeypatch.setattr(changing, "show_apply", apply)
    assert group.call(list(arguments), session) == 0
    (call,) = calls
    return session.flags, call


@given(st.lists(st.sampled_from(WORDS)) | st.lists(st.sampled_from(LIKELY)))
@example(["--database", "a", "status", "--json", "--sql=x=y", "-d", "b", "--exit-code"])
@example(["apply", "a", "--gate", "-d", "b"])
@example(["upgrade", "", "-q"])
@example(["apply", "+1", "--batch-commits"])
def test_click_reads_the_same(arguments: list[str]) -> None:
    session = Session()
    with pytest.MonkeyPatch.context() as monkeypatch:
        # A file that is named need not be there for this.
        monkeypatch.setattr(Session, "settings", {})
        call = plain_call(arguments, session)
        if call is not None:
            assert as_click_reads(arguments, monkeypatch) == (session.flags, told(call))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("option", [*SWITCHES, *(f"{option}=x" for option in WITH_VALUE if option.startswith("--"))])
def test_each_common_option_is_read(name: str, option: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Session, "settings", {})
    assert plain_call([name, option], Session()) is not None


@pytest.mark.parametrize("name", COMMANDS)
def test_the_options_of_a_command_are_all_known(name: str) -> None:
    parameters = [item for item in COMMANDS[name].params if item.expose_value]
    options = {str(item.name).replace("_", "-") for item in parameters if isinstance(item, click.Option)}
    assert options == {*OWN_SWITCHES[name], *OTHERS.get(name, ())}
    assert all(item.is_flag for item in parameters if isinstance(item, click.Option) and item.name in OWN_SWITCHES)
    arguments = [item.name for item in parameters if isinstance(item, click.Argument)]
    assert arguments == (["target"] if name in WITH_TARGET else [])


OPTIONS = [(name, option) for name in COMMANDS for option in (*OWN_SWITCHES[name], *OTHERS.get(name, ()))]


@pytest.mark.parametrize(("name", "option"), OPTIONS)
def test_what_the_environment_says_click_reads(name: str, option: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Session, "settings", {})
    assert plain_call([name], Session()) is not None
    monkeypatch.setenv(f"MAXWELL_DB_{option.upper().replace('-', '_')}", "1")
    assert plain_call([name], Session()) is None


@pytest.mark.parametrize(("name", "option"), OPTIONS)
def test_what_the_file_says_click_reads(
    name: str, option: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(Session, "settings", {"quiet": "yes"})
    assert plain_call([name], Session()) is not None
    monkeypatch.setattr(Session, "settings", {option: "yes"})
    assert plain_call([name], Session()) is None


#: What takes time to import, and is not needed where nothing goes wrong.
NOT_NEEDED = {"click", "inspect", "logging", "socket", "rich", "sqlparse", "importlib.resources", "difflib"}
PROGRAM = "from runner.cli import program; program()"


def imported_by(*arguments: str, cwd: Path) -> set[str]:
    """The modules that the program itself imports; it ends at once, so that Python has to say so meanwhile."""
    command = [sys.executable, "-X", "importtime", "-c", PROGRAM, *arguments]
    done = subprocess.run(command, cwd=cwd, env=clean_environment(None), capture_output=True, text=True, check=True)
    return {line.rpartition("|")[2].strip() for line in done.stderr.splitlines() if line.startswith("import time:")}


def test_they_import_nothing_that_is_not_needed(tmp_path: Path) -> None:
    common = ("-d", sqlite_database(tmp_path / "plain.db").url, "--sql", str(MAXWELL))
    for arguments in (
        ["apply", "+1"],
        ["upgrade", "head", "--gate"],
        ["status"],
        ["--json", "current", "--exit-code"],
    ):
        imported = imported_by(*arguments, *common, cwd=tmp_path)
        assert "runner.cli.plain" in imported and not NOT_NEEDED & imported
    assert "click" in imported_by("status", "--log-format", "json", *common, cwd=tmp_path)
    assert "click" in imported_by("apply", "--lock-wait", "1", *common, cwd=tmp_path)


def test_their_errors_are_those_of_all_commands(tmp_path: Path) -> None:
    for words in (["status"], ["status", "--log-format=text"], ["apply"], ["apply", "--lock-wait=1"]):
        done = maxwell_db("--json", *words, "--database", "oracle://x/y")
        assert done.exit_code == 2 and json.loads(done.stdout)["error"]["code"] == "BAD_URL"
