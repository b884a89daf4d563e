"""Completion: in a real bash, zsh and fish where they are there, with the script that ``completion`` prints."""

from __future__ import annotations

import os
import pty
import re
import select
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from click.shell_completion import get_completion_class

from runner.cli.group import cli
from runner.cli.names import ALIASES, COMMANDS
from runner.doctor import PROBES
from runner.rules import rules
from tests.support.databases import sqlite_database
from tests.support.migrations import Folder
from tests.support.tool import maxwell_db

Complete = Callable[..., list[str]]
MAXWELL_HEAD = "20260126_1000_phase3_coach_add_tables"


@pytest.fixture
def here(tmp_path: Path) -> Path:
    """The folder, empty at first, in which somebody types."""
    folder = tmp_path / "here"
    folder.mkdir()
    return folder


@pytest.fixture
def complete(shell: dict[str, str], here: Path, tmp_path: Path) -> Complete:
    """What bash offers at the end of a line, in an empty folder: COMPREPLY as the completion function leaves it.

    bash breaks the line into words itself, as readline does: at white space and at ``:`` and ``=``.
    """

    printed = tmp_path / "printed"
    printed.write_text(maxwell_db("completion", "bash").stdout)

    def offered(line: str, **more: str) -> list[str]:
        words = re.findall(r"[:=]+|[^\s:=]+", line)
        if line.endswith((" ", ":", "=")):
            words.append("")
        script = (
            f'source "{printed}"\n'
            'COMP_LINE=$1 COMP_POINT=${#1} COMP_WORDS=("${@:2}") COMP_CWORD=$(($# - 2))\n'
            "_maxwell_db_completion maxwell-db\n"
            'printf "%s\\n" "${COMPREPLY[@]}"\n'
        )
        done = subprocess.run(
            ["bash", "--norc", "--noprofile", "-c", script, "bash", line, *words],
            cwd=here,
            env=shell | more,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert (done.returncode, done.stderr) == (0, "")
        return done.stdout.split()

    return offered


def test_commands_and_their_other_names(complete: Complete) -> None:
    assert complete("maxwell-db ") == sorted(COMMANDS)
    assert set(complete("maxwell-db ro")) == {"rollback"}
    assert set(complete("maxwell-db d")) >= {"deploy", "doctor", "downgrade", "drift"}
    assert "downgrade" in ALIASES


def test_options_of_the_command_and_the_common_ones(complete: Complete) -> None:
    assert complete("maxwell-db apply --ga") == ["--gate"]
    assert complete("maxwell-db apply --da") == ["--database"]
    assert complete("maxwell-db lint --format s") == ["sarif"]


def test_targets_are_versions_revisions_ids_head_and_base(complete: Complete) -> None:
    found = complete("maxwell-db apply ")
    assert found[:2] == ["head", "base"]
    assert {"1.3.0", "1.0.0", MAXWELL_HEAD} <= set(found)
    assert complete("maxwell-db rollback 1.0.") == ["1.0.2", "1.0.1", "1.0.0"]
    assert complete("maxwell-db stamp v1.2") == ["v1.2.0"]
    assert complete("maxwell-db plan 005") == ["005_add_timeline"]
    assert complete("maxwell-db apply 20260126") == [MAXWELL_HEAD]


def test_targets_come_from_the_folder_that_option_environment_or_file_names(complete: Complete, here: Path) -> None:
    for name in ("flag", "env", "file"):
        Folder(here / name).add(f"0001_{name}", "SELECT 1;\n")
    (here / "yoyo.ini").write_text("[maxwell-db]\nsql = file\n")
    assert complete("maxwell-db apply 0") == ["0001_file"]
    assert complete("maxwell-db apply 0", MAXWELL_DB_SQL="env") == ["0001_env"]
    assert complete("maxwell-db --sql flag apply 0", MAXWELL_DB_SQL="env") == ["0001_flag"]
    assert complete("maxwell-db apply --sql=flag 0") == ["0001_flag"]


def test_the_dialect_is_that_of_the_url_on_the_line(complete: Complete, here: Path) -> None:
    """A URL has colons, at which bash breaks words. No server is asked."""
    Folder(here / "sql" / "sqlite").add("0001_small", "SELECT 1;\n")
    Folder(here / "sql" / "postgres").add("0001_large", "SELECT 1;\n")
    assert complete("maxwell-db -d sqlite:///a.db apply 0") == ["0001_small"]
    assert complete("maxwell-db -d postgresql://me:secret@nowhere.invalid/db apply 0") == ["0001_large"]


def test_check_names_also_those_with_colons(complete: Complete, here: Path) -> None:
    assert "scene-position" in complete("maxwell-db verify --only sc")
    maxwell_db("apply", database=sqlite_database(here / "maxwell.db"))
    found = complete("maxwell-db verify --only orphan:scenes")
    assert found and all(name.startswith("scenes") for name in found)  # what stands before the colon stays
    assert complete("maxwell-db verify --only=orphan:scenes") == found
    assert "scene-position" in complete("maxwell-db verify --only=sc")


def test_rules_probes_and_ids(complete: Complete) -> None:
    assert complete("maxwell-db lint --ignore ") == [rule.name for rule in rules()]
    assert complete("maxwell-db doctor --only ") == [probe.name for probe in PROBES]
    assert complete("maxwell-db repair --accept 20260126") == [MAXWELL_HEAD]
    assert complete("maxwell-db new x --default ") == []


@pytest.mark.parametrize(
    "line",
    [
        "maxwell-db --sql nowhere apply ",
        "maxwell-db -d nonsense://x apply ",
        "maxwell-db -d sqlite:///bad.db verify --only ",
        "maxwell-db --config nowhere.ini apply ",
        "maxwell-db no-such-command ",
        "maxwell-db apply 'unclosed",
    ],
)
def test_nothing_is_said_about_what_is_wrong(complete: Complete, here: Path, line: str) -> None:
    (here / "bad.db").write_text("this is no database at all")
    assert set(complete(line)) <= {"head", "base", *COMMANDS}


def test_a_bad_file_of_settings_leaves_the_options(complete: Complete, here: Path) -> None:
    (here / "yoyo.ini").write_text("[maxwell-db]\nnonsense = 1\n")
    assert complete("maxwell-db apply --ga") == ["--gate"]
    assert maxwell_db("completion", "bash", cwd=here).exit_code == 0


def test_a_bad_migration_does_not_hide_the_others(complete: Complete, here: Path) -> None:
    folder = Folder(here / "sql" / "sqlite")
    folder.add("0001_good", "SELECT 1;\n")
    folder.add("0002_bad", "COMMIT;\n")
    assert "0001_good" in complete("maxwell-db apply 0")


def test_tab_in_an_interactive_bash(shell: dict[str, str], here: Path) -> None:
    """Keys into a terminal, as a user presses them: bash fills in the one answer, and files are its own business."""
    (here / "0001_only_here.sql").write_text("SELECT 1;\n")
    child, terminal = pty.fork()
    if child == 0:
        os.chdir(here)
        os.execvpe("bash", ["bash", "--norc", "--noprofile", "-i"], shell | {"TERM": "dumb", "PS1": "> "})
    try:
        _type(terminal, "bind 'set bell-style none'; source <(maxwell-db completion bash); echo rea''dy\n", "ready")
        _type(terminal, "maxwell-db rollb\t", "rollback ")
        _type(terminal, "--conf\t", "--conf")
        _type(terminal, "\x15maxwell-db apply 2026012\t", MAXWELL_HEAD)
        _type(terminal, "\x15maxwell-db lint 0001\t", "0001_only_here.sql")
    finally:
        os.close(terminal)
        os.waitpid(child, 0)


def _type(terminal: int, keys: str, expected: str) -> None:
    os.write(terminal, keys.encode())
    shown, deadline = "", time.monotonic() + 30
    while expected not in shown:
        assert time.monotonic() < deadline, shown
        if select.select([terminal], [], [], 1)[0]:
            shown += os.read(terminal, 4096).decode(errors="replace")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_is_one_that_its_shell_can_read(shell: str) -> None:
    answer = maxwell_db("completion", shell)
    assert answer.exit_code == 0 and "_MAXWELL_DB_COMPLETE" in answer.stdout
    assert maxwell_db("--json", "completion", shell).json()["script"].rstrip("\n") == answer.stdout.rstrip("\n")
    program = shutil.which(shell)
    if program is None:
        pytest.skip(f"this machine has no {shell}")
    checked = subprocess.run([program, "-n"], input=answer.stdout, capture_output=True, text=True, check=False)
    assert (checked.returncode, checked.stderr) == (0, "")


@pytest.mark.parametrize(("shell", "words", "word"), [("zsh", "maxwell-db apply 1.2", "2"), ("fish", None, "1.2")])
def test_zsh_and_fish_are_answered(
    shell: str, words: str | None, word: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """What their scripts ask for, by click's own classes: a machine need not have these shells."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COMP_WORDS", words or "maxwell-db apply 1.2")
    monkeypatch.setenv("COMP_CWORD", word)
    kind = get_completion_class(shell)
    assert kind is not None
    answer = kind(cli, {}, "maxwell-db", "_MAXWELL_DB_COMPLETE").complete()
    assert "1.2.0" in answer and "20260112_1030_phase2a_timeline_add_tables" in answer


def test_fish_completes_at_its_prompt(shell: dict[str, str], here: Path) -> None:
    fish = shutil.which("fish")
    if fish is None:
        pytest.skip("this machine has no fish")
    done = subprocess.run(
        [fish, "--no-config", "-c", 'maxwell-db completion fish | source; complete -C "maxwell-db apply 1.2"'],
        cwd=here,
        env=shell | {"HOME": str(here)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stdout.split("\t")[0] == "1.2.0", done.stderr


def test_an_unknown_shell_is_a_usage_error() -> None:
    answer = maxwell_db("completion", "tcsh")
    assert answer.exit_code == 2 and "zsh" in answer.stderr
