"""Where settings come from: flag, then environment, then yoyo.ini of this folder, then the default."""

from __future__ import annotations

import fcntl
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import click
import pytest
from yoyo.config import read_config

from runner.cli.group import COMMANDS, cli
from runner.config import KEYS, read_settings
from runner.errors import UsageError
from tests.support.databases import sqlite_database
from tests.support.folders import Folder, all_tables, own_tables
from tests.support.tool import ROOT, Result, clean_environment, maxwell_db


def write(folder: Path, text: str, name: str = "yoyo.ini") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text(text)
    return path


def asked_for(*arguments: str, cwd: Path, env: dict[str, str] | None = None) -> str:
    """The database that a command looks for."""
    result = maxwell_db("--json", *arguments, "verify", sql=None, cwd=cwd, env=env)
    assert result.json()["error"]["code"] == "NO_SUCH_DATABASE", result.stdout
    return str(result.json()["database"])


# The order.


def test_flag_environment_file_default(tmp_path: Path) -> None:
    assert asked_for(cwd=tmp_path) == "sqlite:///maxwell.db"
    write(tmp_path, "[DEFAULT]\ndatabase = sqlite:///yoyos.db\n")
    assert asked_for(cwd=tmp_path) == "sqlite:///yoyos.db"
    write(tmp_path, "[DEFAULT]\ndatabase = sqlite:///yoyos.db\n[maxwell-db]\ndatabase = sqlite:///ours.db\n")
    assert asked_for(cwd=tmp_path) == "sqlite:///ours.db"
    env = {"DATABASE_URL": "sqlite:///url.db"}
    assert asked_for(cwd=tmp_path, env=env) == "sqlite:///url.db"
    env["MAXWELL_DB_DATABASE"] = "sqlite:///env.db"
    assert asked_for(cwd=tmp_path, env=env) == "sqlite:///env.db"
    assert asked_for("-d", "sqlite:///flag.db", cwd=tmp_path, env=env) == "sqlite:///flag.db"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["yoyo.ini"]


def test_an_empty_variable_says_nothing(tmp_path: Path) -> None:
    write(tmp_path, "[maxwell-db]\ndatabase = sqlite:///ours.db\n")
    assert asked_for(cwd=tmp_path, env={"DATABASE_URL": "", "MAXWELL_DB_DATABASE": ""}) == "sqlite:///ours.db"


@pytest.mark.parametrize(
    ("flag", "variable", "setting", "expected"),
    [
        ((), None, None, "60 s"),
        ((), None, "0.01", "0.01 s"),
        ((), "0.02", "0.01", "0.02 s"),
        (("--lock-wait", "0.03"), "0.02", "0.01", "0.03 s"),
        (("--lock-wait", "0.03"), None, None, "0.03 s"),
    ],
)
def test_an_option_of_a_command(
    tmp_path: Path, flag: tuple[str, ...], variable: str | None, setting: str | None, expected: str
) -> None:
    """Seen in the answer of a run that has to wait; the default is not waited for."""
    if expected == "60 s":
        assert "[default: 60.0" in maxwell_db("apply", "--help", cwd=tmp_path).stdout
        return
    Folder(tmp_path / "sql", "sqlite").pair("001_a")
    write(tmp_path, f"[maxwell-db]\nlock-wait = {setting}\n" if setting else "")
    with (tmp_path / "x.db.maxwell-lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        env = {"MAXWELL_DB_LOCK_WAIT": variable} if variable else {}
        result = maxwell_db("-d", "sqlite:///x.db", "apply", *flag, sql=None, cwd=tmp_path, env=env)
    assert result.exit_code == 5
    assert f"Nothing was changed in {expected}" in result.stderr


def applied_in(folder: Path, *arguments: str, env: dict[str, str] | None = None) -> Result:
    return maxwell_db("--json", "apply", *arguments, sql=None, cwd=folder, env=env)


def test_which_migrations(tmp_path: Path) -> None:
    for name in ("sql", "file", "env", "flag"):
        Folder(tmp_path / name, "sqlite").pair(f"001_{name}")

    def ids(*arguments: str, env: dict[str, str] | None = None) -> list[str]:
        result = maxwell_db("--json", *arguments, "apply", "--dry-run", sql=None, cwd=tmp_path, env=env)
        return list(result.json()["dry_run"])

    assert ids() == ["001_sql"]
    write(tmp_path, "[maxwell-db]\nsql = file\n")
    assert ids() == ["001_file"]
    assert ids(env={"MAXWELL_DB_SQL": "env"}) == ["001_env"]
    assert ids("--sql", "flag", env={"MAXWELL_DB_SQL": "env"}) == ["001_flag"]


def test_without_a_folder_here_it_is_maxwells_own(tmp_path: Path) -> None:
    result = maxwell_db("--json", "apply", "--dry-run", sql=None, cwd=tmp_path)
    assert len(result.json()["dry_run"]) >= 6 and list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("word", "gated"), [("on", True), ("yes", True), ("1", True), ("off", False), ("no", False)])
@pytest.mark.parametrize("where", ["file", "environment"])
def test_a_switch(tmp_path: Path, word: str, gated: bool, where: str) -> None:
    folder = Folder(tmp_path / "sql", "sqlite")
    folder.pair(
        "001_a",
        "CREATE TABLE a (id INTEGER PRIMARY KEY);\nCREATE TABLE b (a INTEGER NOT NULL);\nINSERT INTO b VALUES (1);\n",
    )
    write(
        tmp_path / "checks",
        "-- check: no-b\n-- severity: error\n-- requires: b\n-- No b.\n"
        "SELECT 'b' AS table_name, a AS row_key, 'x' AS detail FROM b\n",
        "no-b.sql",
    )
    write(tmp_path, "[maxwell-db]\nchecks = checks\n" + (f"gate = {word}\n" if where == "file" else ""))
    env = {"MAXWELL_DB_GATE": word} if where == "environment" else {}
    result = applied_in(tmp_path, env=env)
    assert result.exit_code == 4
    assert result.json()["error"]["code"] == ("GATE_CLOSED" if gated else "VIOLATIONS_FOUND")


@pytest.mark.parametrize(
    ("line", "names"),
    [("gate = perhaps", "gate"), ("lock-wait = soon", "lock-wait"), ("quiet = perhaps", "quiet"), ("json = x", "json")],
)
def test_a_value_that_cannot_be_is_a_usage_error(tmp_path: Path, line: str, names: str) -> None:
    Folder(tmp_path / "sql", "sqlite").pair("001_a")
    write(tmp_path, f"[maxwell-db]\n{line}\n")
    result = maxwell_db("apply", sql=None, cwd=tmp_path)
    assert result.exit_code == 2 and names in result.stderr
    assert "Traceback" not in result.stderr and not (tmp_path / "maxwell.db").exists()


# Which file.


def test_a_parent_folders_file_is_never_read(tmp_path: Path) -> None:
    write(tmp_path, "[DEFAULT]\ndatabase = sqlite:///parents.db\n[maxwell-db]\nnonsense = 1\n")
    child = tmp_path / "child"
    child.mkdir()
    assert asked_for(cwd=child) == "sqlite:///maxwell.db"


@pytest.mark.parametrize("form", ["before", "after", "equals", "environment"])
def test_a_file_named_by_config(tmp_path: Path, form: str) -> None:
    write(tmp_path, "[maxwell-db]\ndatabase = sqlite:///here.db\n")
    path = write(tmp_path / "etc", "[maxwell-db]\ndatabase = sqlite:///there.db\nlock-wait = x\n", "other.ini")
    arguments = {
        "before": ["--config", str(path), "apply"],
        "after": ["apply", "--config", str(path)],
        "equals": ["apply", f"--config={path}"],
        "environment": ["apply"],
    }[form]
    env = {"MAXWELL_DB_CONFIG": str(path)} if form == "environment" else {}
    result = maxwell_db(*arguments, cwd=tmp_path, env=env)
    assert result.exit_code == 2 and "lock-wait" in result.stderr  # a command's own option, read from that file
    path.write_text("[maxwell-db]\ndatabase = sqlite:///there.db\n")
    result = maxwell_db("--json", *[word if word != "apply" else "status" for word in arguments], cwd=tmp_path, env=env)
    assert result.json()["database"] == "sqlite:///there.db"


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    for arguments, env in (
        (["--config", "nowhere.ini", "status"], {}),
        (["status"], {"MAXWELL_DB_CONFIG": "nowhere.ini"}),
    ):
        result = maxwell_db("--json", *arguments, cwd=tmp_path, env=env)
        assert (result.exit_code, result.json()["error"]["code"]) == (2, "NO_SUCH_CONFIG")
        assert "nowhere.ini" in result.json()["error"]["message"]


# What may stand in it.


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[maxwell-db]\ngait = on\n", "unknown key 'gait'"),
        ("[maxwell-db]\nyes = on\n", "unknown key 'yes'"),
        ("[maxwell-db]\ngate = on\ngate = off\n", "gate"),
        ("[maxwell-db]\n[maxwell-db]\n", "maxwell-db"),
        ("gate = on\n", "no section headers"),
        ("[maxwell-db]\nsql = %(nowhere)s/sql\n", "nowhere"),
        ("[maxwell-db]\nsql = 100%\n", "'%'"),
        ("[DEFAULT]\ndatabase = sqlite:///x.db\n%inherit = nowhere.ini\n", "nowhere.ini"),
        ("[DEFAULT]\ndatabase = sqlite:///x.db\n%include = yoyo.ini\n", "includes itself"),
    ],
)
def test_a_file_with_a_mistake_is_refused_by_name(tmp_path: Path, text: str, words: str) -> None:
    path = write(tmp_path, text)
    result = maxwell_db("apply", cwd=tmp_path)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith("error: yoyo.ini: ") and words in result.stderr
    error = maxwell_db("--json", "--config", str(path), "apply", cwd=tmp_path).json()["error"]
    assert (error["code"], error["file"]) == ("BAD_CONFIG", str(path))
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_that_is_not_text(tmp_path: Path) -> None:
    (tmp_path / "yoyo.ini").write_bytes(b"[maxwell-db]\nsql = Z\xfcrich\n")
    result = maxwell_db("--json", "status", cwd=tmp_path)
    assert (result.exit_code, result.json()["error"]["code"]) == (2, "BAD_CONFIG")


def test_yoyos_keys_and_other_sections_are_none_of_ours(tmp_path: Path) -> None:
    write(
        tmp_path,
        "[DEFAULT]\ndatabase = sqlite:///x.db\nsources = a b\nbatch_mode = on\nverbosity = 0\neditor = ed\n"
        "[other]\nnonsense = 1\n[maxwell-db]\nlock_wait = 1\nGATE = on\n",
    )
    assert read_settings(str(tmp_path / "yoyo.ini")) == {"database": "sqlite:///x.db", "lock-wait": "1", "gate": "on"}


def test_no_file_is_no_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert read_settings(None) == {}
    write(tmp_path, "")
    assert read_settings(None) == {}


def test_names_in_values(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WHERE", "some/where")
    monkeypatch.setenv("A_PASSWORD", "100%%d %(here)s")
    path = write(
        tmp_path,
        "[DEFAULT]\ndatabase = sqlite:///%(here)s/%(name)s.db\nname = one\n"
        "[maxwell-db]\nsql = %(WHERE)s/%(name)s\nchecks = %(a_password)s\n",
    )
    settings = read_settings(str(path))
    assert settings["database"] == f"sqlite:///{tmp_path}/one.db"
    assert settings["sql"] == "some/where/one"
    assert settings["checks"] == "100%%d %(here)s"  # what a variable holds is taken as it is


def test_inherit_and_include(tmp_path: Path) -> None:
    write(tmp_path, "[DEFAULT]\nbatch_mode = on\n[maxwell-db]\ngate = on\nlock-wait = 1\nsql = %(here)s\n", "base.ini")
    write(tmp_path, "[maxwell-db]\nlock-wait = 3\n", "extra.ini")
    path = write(
        tmp_path,
        "[DEFAULT]\n%inherit = base.ini\n%include = extra.ini\ndatabase = sqlite:///%(here)s/x.db\n"
        "[maxwell-db]\nlock-wait = 2\n",
    )
    settings = read_settings(str(path))
    assert settings == {
        "gate": "on",
        "lock-wait": "3",
        "sql": str(tmp_path),
        "database": f"sqlite:///{tmp_path}/x.db",
    }
    write(tmp_path, "[maxwell-db]\nnonsense = 1\n", "extra.ini")
    with pytest.raises(UsageError, match="nonsense"):
        read_settings(str(path))


@pytest.mark.parametrize(
    "text",
    [
        "[DEFAULT]\ndatabase = sqlite:///x.db\n",
        "[DEFAULT]\ndatabase = sqlite:///%(here)s/x.db\n",
        "[DEFAULT]\nname = y\ndatabase = sqlite:///%(name)s.db\n",
        "[DEFAULT]\ndatabase = sqlite:///%(WHICH)s.db\n",
        "[DEFAULT]\ndatabase = postgresql://u:p%%40ss@h/d\n",
        "[DEFAULT]\n%include = more.ini\n",
        "[DEFAULT]\n%inherit = more.ini\ndatabase = sqlite:///mine.db\n",
        "[DEFAULT]\n%include = ?nowhere.ini more.ini last.ini\n",
        "[DEFAULT]\n%inherit = more.ini last.ini\n[maxwell-db]\ngate = on\n",
        "[DEFAULT]\n%include = nested.ini\ndatabase = sqlite:///mine.db\n",
    ],
)
def test_yoyo_reads_the_same_database(tmp_path: Path, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WHICH", "which")
    write(tmp_path, "[DEFAULT]\ndatabase = sqlite:///more.db\n", "more.ini")
    write(tmp_path, "[DEFAULT]\ndatabase = sqlite:///last.db\n", "last.ini")
    write(tmp_path, "[DEFAULT]\n%inherit = last.ini\n", "nested.ini")
    path = write(tmp_path, text)
    assert read_settings(str(path))["database"] == read_config(str(path)).get("DEFAULT", "database")


# What can be set is what there is.

BY_HAND = {
    *("bump", "column", "default", "edit", "group", "key", "keys", "parent", "pattern", "table", "to", "type"),
    "at",
    "accept",
    "after",
    "allow-newer",
    "as",
    "config",
    "confirm",
    "create",
    "dialect",
    "dry-run",
    "exit-code",
    "force",
    "format",
    "freeze-source",
    "help",
    "list",
    "number",
    "off",
    "only",
    "other-database",
    "output",
    "plan",
    "rehearsal",
    "rollback",
    "since",
    "test",
    "unfreeze",
    "verify",
    "verify-only",
    "version",
    "yes",
}  # each time anew


#: What must never be in force because somebody once set a variable.
SAID_EACH_TIME = {"allow-newer", "confirm", "create", "off", "other-database", "test"}


def options() -> dict[str, list[click.Option]]:
    """All options of all commands by their long names."""
    found: dict[str, list[click.Option]] = {}
    context = cli.make_context("maxwell-db", [], resilient_parsing=True)
    commands = [cli, *(cli.get_command(context, name) for name in COMMANDS)]
    for command in commands:
        assert command is not None
        for parameter in command.get_params(context):
            if isinstance(parameter, click.Option):
                name = next(each for each in parameter.opts if each.startswith("--"))
                found.setdefault(name.removeprefix("--"), []).append(parameter)
    return found


def test_every_key_is_an_option() -> None:
    assert KEYS - options().keys() == {"protected"}  # which nobody takes away on the command line


def test_every_option_is_a_key_or_is_given_by_hand() -> None:
    later = {name for name in options() if name not in KEYS | BY_HAND}
    assert not later, f"say in runner/config.py that the file may set {later}, or in this test that it may not"


def test_every_option_has_its_variable() -> None:
    common = {parameter.name for parameter in cli.params}
    for name, parameters in options().items():
        for parameter in parameters:
            if (
                parameter.name in common
                or name in (*SAID_EACH_TIME, "accept", "as", "force", "help", "list")
                or parameter.name in ("show_sql", "to")  # of verify, and of new
            ):
                continue
            assert parameter.envvar == f"MAXWELL_DB_{name.upper().replace('-', '_')}", name


@pytest.mark.parametrize(
    "key",
    sorted(
        KEYS
        - {
            "database",
            "sql",
            "json",
            "quiet",
            "verbose",
            "no-color",
            "backup-dir",
            "log-format",
            "protected",
            "scratch",
        }
    ),
)
def test_a_key_reaches_its_command(tmp_path: Path, key: str) -> None:
    """What cannot be converted is refused by the option itself, which shows that it was asked."""
    takers = [command for command in COMMANDS if command_takes(command, key)]
    assert takers
    write(tmp_path, f"[maxwell-db]\n{key} = no/such/value\n")
    for command in takers:
        arguments = {"new": ["a_b_c"], "stamp": ["head"], "rollback": ["--yes"], "restore": ["a.sqlite"]}.get(
            command, []
        )
        result = maxwell_db(command, *arguments, cwd=tmp_path, sql=None)
        assert result.exit_code == 2 and f"--{key}" in result.stderr, (command, result)


def command_takes(command: str, key: str) -> bool:
    found: Any = cli.get_command(cli.make_context("maxwell-db", [], resilient_parsing=True), command)
    return any(f"--{key}" in parameter.opts and parameter.envvar for parameter in found.params)


# The project's own file.


@pytest.fixture
def copy_of_the_project(tmp_path: Path) -> Path:
    for name in ("sql", "verify"):
        shutil.copytree(ROOT / name, tmp_path / "copy" / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "yoyo.ini", tmp_path / "copy")
    return tmp_path / "copy"


def real_yoyo(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "yoyo", *arguments],
        cwd=cwd,
        env=clean_environment(None),
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=60,
        check=False,
    )


def test_the_projects_own_file_configures_both(copy_of_the_project: Path) -> None:
    applied = real_yoyo("apply", cwd=copy_of_the_project)
    assert applied.returncode == 0, applied.stderr
    database = sqlite_database(copy_of_the_project / "maxwell.db")
    status = maxwell_db("--json", "status", sql=None, cwd=copy_of_the_project).json()
    assert (status["database"], status["pending"]) == ("sqlite:///maxwell.db", 0)
    assert {each["state"] for each in status["migrations"]} == {"applied"}
    result = maxwell_db("rollback", "base", "--yes", sql=None, cwd=copy_of_the_project)
    assert result.exit_code == 0, result.stderr
    assert own_tables(database) == set()
    listed = real_yoyo("list", cwd=copy_of_the_project)
    assert listed.returncode == 0 and "\nA" not in listed.stdout


def test_the_projects_own_file_turns_the_gate_on(copy_of_the_project: Path) -> None:
    settings = read_settings(str(copy_of_the_project / "yoyo.ini"))
    assert (settings["gate"], settings["sql"], settings["database"]) == ("on", "sql", "sqlite:///maxwell.db")
    folder = Folder(copy_of_the_project / "sql", "sqlite")
    folder.pair(
        "20990101_0000_break_it",
        "INSERT INTO scenes (id, manuscript_id, position) VALUES ('s', 'nowhere', 1);\n",
        "DELETE FROM scenes;\n",
    )
    result = maxwell_db("apply", sql=None, cwd=copy_of_the_project)
    assert result.exit_code == 4
    database = sqlite_database(copy_of_the_project / "maxwell.db")
    assert "scenes" in all_tables(database) and database.value("SELECT count(*) FROM scenes") == 0
