"""The outside contract of every command: exit codes, one JSON object, where words go, and what is never written."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import re
import select
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import pytest

from runner.cli.names import ALIASES, COMMANDS
from tests.support.databases import Database, drop_postgres_database, postgres_database, sqlite_database
from tests.support.folders import Folder, all_tables, applied, footprint, own_schema, own_tables
from tests.support.tool import ROOT, Result, clean_environment, maxwell_db, maxwell_db_process

HEAD = ["command", "ok", "exit_code", "database", "dialect"]
ERROR = {"code", "message", "hint", "file", "line", "statement"}
ANSI = re.compile(r"\033\[[0-9;]*m")


@pytest.fixture(scope="module")
def pg_base(pg_url: str) -> Iterator[Database]:
    """A database in which each test has a schema of its own."""
    base = postgres_database(pg_url, f"contract_{os.getpid()}")
    yield base
    drop_postgres_database(pg_url, base)


@pytest.fixture
def database(dialect: str, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Database]:
    """An empty database of each dialect in turn."""
    if dialect == "sqlite":
        yield sqlite_database(tmp_path / "contract.db")
        return
    with own_schema(request.getfixturevalue("pg_base"), "contract") as schema:
        yield schema


@pytest.fixture
def sql(tmp_path: Path) -> Path:
    """Three migrations in both dialects."""
    for dialect in ("sqlite", "postgres"):
        folder = Folder(tmp_path / "migrations", "sqlite" if dialect == "sqlite" else "postgres")
        folder.pair("001_a", header="-- version: 1.0\n-- revision: 001_first\n")
        folder.pair("002_b", header="-- version: 1.1\n-- depends: 001_a\n")
        folder.pair("003_c", header="-- irreversible: no way back\n")
        (folder.path / "003_c.rollback.sql").unlink()
    return tmp_path / "migrations"


@pytest.fixture
def lite(tmp_path: Path) -> Database:
    return sqlite_database(tmp_path / "contract.db")


@dataclass(frozen=True)
class Screen:
    """What came out on a terminal, stdout and stderr together."""

    exit_code: int
    text: str


def in_terminal(
    *arguments: str, cwd: Path, type_: str = "", env: dict[str, str] | None = None, until: str = "?"
) -> Screen:
    """Run the program on a pseudo-terminal, and type something when it asks."""
    controller, terminal = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "runner", *arguments],
        cwd=cwd,
        env=clean_environment({"TERM": "xterm-256color", "COLUMNS": "200"} | (env or {})),
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
    )
    os.close(terminal)
    shown, deadline = b"", time.monotonic() + 60
    with contextlib.suppress(OSError):  # EIO: the program has ended
        while time.monotonic() < deadline:
            if select.select([controller], [], [], 0.1)[0]:
                data = os.read(controller, 65536)
                if not data:
                    break
                shown += data
            if type_ and until in shown.decode(errors="replace"):
                os.write(controller, type_.encode())
                type_ = ""
    os.close(controller)
    return Screen(process.wait(60), shown.decode(errors="replace").replace("\r\n", "\n"))


def head_of(answer: dict[str, Any], command: str, exit_code: int, database: Database) -> None:
    assert list(answer)[:5] == HEAD
    assert answer["command"] == command
    assert (answer["ok"], answer["exit_code"]) == (exit_code == 0, exit_code)
    assert answer["dialect"] == database.dialect
    assert answer["database"].startswith("sqlite:///" if database.path else "postgresql://")


# The JSON object of each command.


def test_status_in_json(database: Database, sql: Path) -> None:
    applied(sql, database, "002_b")
    result = maxwell_db("--json", "status", database=database, sql=sql)
    answer = result.json()
    head_of(answer, "status", 0, database)
    assert set(answer) == {*HEAD, "version", "head_version", "pending", "migrations"}
    assert (answer["version"], answer["head_version"], answer["pending"]) == ("1.1", "1.1", 1)
    first, second, third = answer["migrations"]
    keys = {"id", "version", "revision", "state", "applied_at", "duration_ms", "reversible"}
    assert set(first) == set(second) == set(third) == keys
    assert (first["id"], first["version"], first["revision"], first["state"]) == (
        "001_a",
        "1.0",
        "001_first",
        "applied",
    )
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", first["applied_at"])
    assert first["duration_ms"] > 0 and first["reversible"] is True
    assert (third["state"], third["applied_at"], third["duration_ms"]) == ("pending", None, None)
    assert third["reversible"] is False


def test_apply_and_rollback_in_json(database: Database, sql: Path) -> None:
    answer = maxwell_db("apply", "--json", "002_b", database=database, sql=sql).json()
    head_of(answer, "apply", 0, database)
    assert {"changed", "applied", "version", "verify"} <= set(answer)
    assert (answer["changed"], answer["version"]) == (True, "1.1")
    assert [each["id"] for each in answer["applied"]] == ["001_a", "002_b"]
    assert all(set(each) == {"id", "duration_ms"} for each in answer["applied"])
    assert {"checks", "counts"} <= set(answer["verify"])
    again = maxwell_db("apply", "--json", "002_b", database=database, sql=sql).json()
    assert (again["changed"], again["applied"], again["version"], again["ok"]) == (False, [], "1.1", True)
    answer = maxwell_db("rollback", "--yes", "--json", database=database, sql=sql).json()
    head_of(answer, "rollback", 0, database)
    assert (answer["changed"], answer["version"]) == (True, "1.0")
    assert [each["id"] for each in answer["rolled_back"]] == ["002_b"]
    assert {"checks", "counts"} <= set(answer["verify"])


def test_verify_in_json(database: Database, sql: Path) -> None:
    applied(sql, database)
    answer = maxwell_db("verify", "--json", database=database, sql=None).json()
    head_of(answer, "verify", 0, database)
    assert {"checks", "counts"} <= set(answer)
    assert answer["counts"]["t_001_a"] == 0
    for check in answer["checks"]:
        assert {"name", "kind", "severity", "status", "violations", "sample", "duration_ms"} <= set(check)
        assert check["status"] in ("passed", "failed", "skipped")
    for option in ("--list", "--sql"):
        listed = maxwell_db("--json", "verify", option, database=database, sql=None).json()
        head_of(listed, "verify", 0, database)
        assert listed["checks"] and all(each["sql"] for each in listed["checks"])


def test_verify_finds_violations(lite: Database, tmp_path: Path) -> None:
    lite.script(
        "CREATE TABLE parent (id INTEGER PRIMARY KEY);"
        "CREATE TABLE child (id INTEGER PRIMARY KEY, parent INTEGER REFERENCES parent (id));"
        "INSERT INTO child VALUES (7, 1);"
    )
    before = footprint(lite)
    result = maxwell_db("--json", "verify", database=lite, sql=None)
    answer = result.json()
    assert (result.exit_code, result.stderr) == (4, "")
    head_of(answer, "verify", 4, lite)
    (failed,) = [check for check in answer["checks"] if check["status"] == "failed"]
    assert failed["violations"] == 1
    assert set(failed["sample"][0]) == {"table", "key", "detail"}
    assert failed["sample"][0]["table"] == "child"
    text = maxwell_db("verify", database=lite, sql=None)
    assert text.exit_code == 4 and "child" in text.stdout
    assert footprint(lite) == before


def test_stamp_and_history_in_json(database: Database, sql: Path) -> None:
    answer = maxwell_db("--json", "stamp", "002_b", "--force", database=database, sql=sql).json()
    head_of(answer, "stamp", 0, database)
    assert (answer["changed"], answer["stamped"], answer["unstamped"]) == (True, ["001_a", "002_b"], [])
    assert answer["version"] == "1.1"
    down = maxwell_db("--json", "stamp", "001_a", "--force", database=database, sql=sql).json()
    assert (down["stamped"], down["unstamped"]) == ([], ["002_b"])
    applied(sql, database)
    history = maxwell_db("--json", "history", database=database, sql=sql).json()
    head_of(history, "history", 0, database)
    entries = history["history"]
    assert [each["id"] for each in entries] == ["001_a", "002_b", "002_b", "002_b", "003_c"]
    keys = {"at", "operation", "id", "version", "username", "hostname", "duration_ms", "apply_sha256", "verify"}
    assert all(keys <= set(each) for each in entries)
    assert re.fullmatch(r"[0-9a-f]{64}", entries[-1]["apply_sha256"])
    assert entries[0]["apply_sha256"] is None  # only stamped: nothing is known of the text


@pytest.mark.parametrize(("alias", "command"), sorted(ALIASES.items()))
def test_an_alias_is_the_command(lite: Database, sql: Path, alias: str, command: str) -> None:
    applied(sql, lite, "002_b")
    yes = ["--yes"] if command == "rollback" else []
    answer = maxwell_db("--json", alias, *yes, database=lite, sql=sql).json()
    head_of(answer, command, 0, lite)
    result = maxwell_db(alias, "--help")
    assert result.exit_code == 0 and "Options:" in result.stdout


# Exactly one object on stdout, whatever happens.

FAILURES = [
    ([], "", "USAGE", 2),
    (["nonsense"], "", "USAGE", 2),
    (["--nonsense", "status"], "", "USAGE", 2),
    (["status", "--nonsense"], "status", "USAGE", 2),
    (["status", "extra"], "status", "USAGE", 2),
    (["stamp"], "stamp", "USAGE", 2),
    (["apply", "--lock-wait", "soon"], "apply", "USAGE", 2),
    (["apply", "--lock-wait", "-1"], "apply", "USAGE", 2),
    (["apply", "--lock-wait"], "apply", "USAGE", 2),
    (["rollback", "-n", "0"], "rollback", "USAGE", 2),
    (["rollback", "-n", "1", "head"], "rollback", "USAGE", 2),
    (["rollback"], "rollback", "NOT_CONFIRMED", 2),
    (["rollback", "nope", "--yes"], "rollback", "UNKNOWN_TARGET", 2),
    (["apply", "nope"], "apply", "UNKNOWN_TARGET", 2),
    (["apply", "base"], "apply", "WRONG_DIRECTION", 2),
    (["stamp", "nope"], "stamp", "UNKNOWN_TARGET", 2),
    (["verify", "--checks", "nowhere"], "verify", "USAGE", 2),
    (["verify", "--sample", "x"], "verify", "USAGE", 2),
    (["verify", "--fail-on", "x"], "verify", "USAGE", 2),
    (["status", "--config", "nowhere.ini"], "status", "NO_SUCH_CONFIG", 2),
    (["--config", "nowhere.ini", "status"], "status", "NO_SUCH_CONFIG", 2),
    (["status", "--sql", "nowhere"], "status", "NO_SUCH_FOLDER", 2),
    (["-d", "mysql://x/y", "status"], "status", "BAD_URL", 2),
    (["-d", "sqlite:///nowhere.db", "status"], "status", "NO_SUCH_DATABASE", 2),
    (["-d", "sqlite:///nowhere/x.db", "apply"], "apply", "NO_SUCH_FOLDER", 2),
]


@pytest.mark.parametrize(("arguments", "command", "code", "exit_code"), FAILURES)
def test_every_failure_is_one_object(
    lite: Database, sql: Path, arguments: list[str], command: str, code: str, exit_code: int
) -> None:
    applied(sql, lite, "002_b")
    before = footprint(lite)

    def run(*given: str, env: dict[str, str] | None = None) -> Result:
        return maxwell_db(*given, database=lite, sql=sql, env=env)

    forms = [run("--json", *arguments), run(*arguments, env={"MAXWELL_DB_JSON": "1"})]
    if arguments and arguments[-1] != "--lock-wait":
        forms.append(run(*arguments, "--json"))
    for result in forms:
        assert (result.exit_code, result.stderr) == (exit_code, ""), result
        answer = json.loads(result.stdout)
        assert list(answer)[:5] == HEAD
        assert (answer["command"], answer["ok"], answer["exit_code"]) == (command, False, exit_code)
        assert set(answer["error"]) == ERROR
        assert (answer["error"]["code"], bool(answer["error"]["hint"])) == (code, True)
    text = run(*arguments)
    if arguments:
        assert (text.exit_code, text.stdout) == (exit_code, "")
        assert text.stderr.startswith("error: ") and "\nhint: " in text.stderr
        assert "Traceback" not in text.stderr and "Usage:" not in text.stderr
    assert footprint(lite) == before


def test_the_object_names_the_database_as_far_as_it_is_known(lite: Database, sql: Path) -> None:
    answer = maxwell_db("--json", "apply", "nope", database=lite, sql=sql).json()
    assert (answer["database"], answer["dialect"]) == (f"sqlite:///{lite.path}", "sqlite")
    answer = maxwell_db("--json", "status", database="mysql://secret@x/y", sql=sql).json()
    assert (answer["database"], answer["dialect"]) == (None, None)


def test_json_may_be_a_setting_of_the_file(lite: Database, sql: Path, tmp_path: Path) -> None:
    (tmp_path / "yoyo.ini").write_text("[maxwell-db]\njson = yes\n")
    for arguments, exit_code in ((["status"], 2), (["apply"], 0), (["apply", "--nonsense"], 2), (["verify"], 0)):
        result = maxwell_db("-d", lite.url, *arguments, sql=None if arguments == ["verify"] else sql, cwd=tmp_path)
        assert (result.exit_code, result.json()["exit_code"]) == (exit_code, exit_code), result


def test_no_json_by_a_setting_that_says_no(lite: Database, sql: Path) -> None:
    assert maxwell_db("apply", database=lite, sql=sql, env={"MAXWELL_DB_JSON": "0"}).stdout.startswith("3 migrations")
    result = maxwell_db("status", database=lite, sql=sql, env={"MAXWELL_DB_JSON": "perhaps"})
    assert result.exit_code == 2 and "perhaps" in result.stderr


# Exit codes.


def test_status_exits_with_what_it_found_when_asked(database: Database, sql: Path) -> None:
    applied(sql, database, "001_a")

    def codes() -> tuple[int, int]:
        plain = maxwell_db("status", database=database, sql=sql)
        asked = maxwell_db("--json", "status", "--exit-code", database=database, sql=sql)
        assert asked.json()["exit_code"] == asked.exit_code
        return plain.exit_code, asked.exit_code

    assert codes() == (0, 3)
    applied(sql, database)
    assert codes() == (0, 0)
    path = sql / database.dialect / "002_b.sql"
    path.write_text(path.read_text().replace("INTEGER", "BIGINT"))
    assert codes() == (0, 6)


def test_a_statement_that_fails_exits_with_1(database: Database, sql: Path) -> None:
    path = sql / database.dialect / "002_b.sql"
    path.write_text("-- why\n\nCREATE TABLE b (id INTEGER);\nINSERT INTO nowhere VALUES (1);\n")
    result = maxwell_db("apply", database=database, sql=sql)
    assert (result.exit_code, result.stdout) == (1, "")
    assert f"error: {path}:4: " in result.stderr
    assert "    INSERT INTO nowhere VALUES (1);" in result.stderr
    assert "committed: 001_a" in result.stderr
    answer = maxwell_db("--json", "apply", database=database, sql=sql).json()
    head_of(answer, "apply", 1, database)
    assert (answer["changed"], answer["applied"]) == (False, [])
    assert answer["error"]["statement"].startswith("INSERT INTO nowhere")
    assert own_tables(database) == {"t_001_a"}


def test_a_held_lock_exits_with_5(lite: Database, sql: Path, tmp_path: Path) -> None:
    applied(sql, lite, "001_a")
    lock = Path(f"{lite.path}.maxwell-lock")
    import fcntl

    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        result = maxwell_db("--json", "apply", "--lock-wait", "0", database=lite, sql=sql)
        assert (result.exit_code, result.json()["error"]["code"]) == (5, "LOCK_TIMEOUT")
        assert maxwell_db("status", database=lite, sql=sql).exit_code == 0  # which needs no lock
    lock.unlink(missing_ok=True)
    assert applied(sql, lite) == ["002_b", "003_c"]


# Where words go.


def test_answers_on_stdout_and_progress_on_stderr(database: Database, sql: Path) -> None:
    result = maxwell_db("apply", database=database, sql=sql)
    assert result.exit_code == 0
    lines = [line for line in result.stderr.splitlines() if not line.startswith("the database ")]
    assert [line.split()[1] for line in lines] == ["001_a", "002_b", "003_c"]
    assert "3 migrations applied" in result.stdout and "001_a " not in result.stdout
    as_json = maxwell_db("--json", "apply", database=database, sql=sql)
    assert json.loads(as_json.stdout)["ok"] is True
    for command in (["status"], ["history"], ["verify"], ["stamp", "head"]):
        result = maxwell_db(*command, database=database, sql=sql if command != ["verify"] else None)
        assert (result.exit_code, result.stderr) == (0, "") and result.stdout.endswith("\n")
    assert not ANSI.search(result.stdout)


def test_c13_rows_of_a_select_are_shown_to_nobody(database: Database, sql: Path) -> None:
    folder = Folder(sql, "sqlite" if database.dialect == "sqlite" else "postgres")
    folder.pair("002_b", "SELECT 'secret row';\n", "SELECT 'secret row';\n")
    for arguments in (("--json", "apply", "002_b"), ("-v", "rollback", "--yes")):
        result = maxwell_db(*arguments, database=database, sql=sql)
        assert result.exit_code == 0
        assert "secret row" not in result.stdout + result.stderr


@pytest.mark.parametrize("quiet", ["-q", "--quiet", "MAXWELL_DB_QUIET"])
def test_quiet_says_nothing_where_all_went_well(lite: Database, sql: Path, quiet: str) -> None:
    env = {quiet: "yes"} if quiet.startswith("M") else {}
    flag = [] if env else [quiet]
    stamps = ["stamp", "head", "--force"], ["stamp", "002_b"]
    for command in (["apply", "002_b"], ["status"], *stamps, ["rollback", "--yes"]):
        result = maxwell_db(*flag, *command, database=lite, sql=sql, env=env)
        assert (result.exit_code, result.stdout, result.stderr) == (0, "", "")
        result = maxwell_db(*command, "nope", *flag, database=lite, sql=sql, env=env)
        assert result.exit_code == 2 and result.stderr.startswith("error: ")


@pytest.mark.parametrize("command", [["apply", "head"], ["stamp", "head", "--force"]])
def test_whoever_makes_the_file_says_so(lite: Database, sql: Path, command: list[str]) -> None:
    result = maxwell_db(*command, database=lite, sql=sql)
    assert result.exit_code == 0 and lite.path is not None and lite.path.exists()
    assert str(lite.path) in result.stderr.splitlines()[0] and "made" in result.stderr
    again = maxwell_db(*command, database=lite, sql=sql)
    assert (again.exit_code, again.stderr) == (0, "")
    lite.path.unlink()
    assert maxwell_db("--json", *command, database=lite, sql=sql).json()["created"] is True


@pytest.mark.parametrize(
    "command", [["status"], ["history"], ["rollback"], ["rollback", "--yes"], ["verify"], ["verify", "--list"]]
)
def test_whoever_does_not_make_the_file_exits_with_2(lite: Database, sql: Path, command: list[str]) -> None:
    result = maxwell_db(*command, database=lite, sql=None if command[0] == "verify" else sql)
    assert (result.exit_code, result.stdout) == (2, "")
    assert str(lite.path) in result.stderr and "not there" in result.stderr
    assert footprint(lite) == {}


@pytest.mark.parametrize(
    "arguments", [["apply", "--dry-run"], ["apply", "nope"], ["stamp", "nope"], ["apply", "+9"], ["stamp", "base"]]
)
def test_what_comes_to_nothing_makes_no_file(lite: Database, sql: Path, arguments: list[str]) -> None:
    expected = 0 if arguments[1] in ("--dry-run", "base") else 2
    assert maxwell_db(*arguments, database=lite, sql=sql).exit_code == expected
    assert footprint(lite) == {}


def test_a_dry_run_writes_nothing(database: Database, sql: Path) -> None:
    applied(sql, database, "001_a")
    before = footprint(database)
    result = maxwell_db("apply", "--dry-run", database=database, sql=sql)
    assert result.exit_code == 0
    assert [line.strip() for line in result.stdout.splitlines()[1:]] == ["002_b", "003_c"]
    answer = maxwell_db("--json", "apply", "--dry-run", database=database, sql=sql).json()
    assert (answer["dry_run"], answer["applied"], answer["changed"]) == (["002_b", "003_c"], [], False)
    assert footprint(database) == before


# What only looks, writes nothing.


@pytest.mark.parametrize("journal", ["delete", "wal"])
@pytest.mark.parametrize("command", ["status", "history", "verify"])
def test_looking_changes_no_byte_and_makes_no_file(lite: Database, sql: Path, command: str, journal: str) -> None:
    applied(sql, lite, "002_b")
    lite.query(f"PRAGMA journal_mode = {journal}")
    before = footprint(lite)
    result = maxwell_db(command, database=lite, sql=None if command == "verify" else sql)
    assert result.exit_code == 0, result.stderr
    assert footprint(lite) == before


@pytest.mark.parametrize("journal", ["delete", "wal"])
def test_status_beside_an_open_writer(lite: Database, sql: Path, journal: str) -> None:
    applied(sql, lite, "002_b")
    lite.query(f"PRAGMA journal_mode = {journal}")
    with lite.connect() as writer:
        writer.execute("BEGIN IMMEDIATE")
        writer.execute("INSERT INTO t_001_a VALUES (1)")
        result = maxwell_db("--json", "status", database=lite, sql=sql)
        assert result.json()["pending"] == 1
        writer.execute("COMMIT")
    assert lite.value("SELECT count(*) FROM t_001_a") == 1


def test_status_on_postgres_writes_nothing(pg_base: Database, sql: Path) -> None:
    with own_schema(pg_base, "virgin") as database:
        before = footprint(database)
        for command in ("status", "history"):
            assert maxwell_db(command, database=database, sql=sql).exit_code == 0
        assert footprint(database) == before and all_tables(database) == set()


def test_a05_status_on_a_file_that_may_only_be_read(lite: Database, sql: Path) -> None:
    applied(sql, lite)
    assert lite.path is not None
    lite.path.chmod(0o444)
    before = footprint(lite)
    assert maxwell_db("status", database=lite, sql=sql).exit_code == 0
    assert footprint(lite) == before


MODULES = (
    "import sys; from runner.cli import main; code = main(sys.argv[1:]); print(*sorted(sys.modules), file=sys.stderr)"
)


def modules_of(*arguments: str, cwd: Path) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-c", MODULES, *arguments],
        cwd=cwd,
        env=clean_environment(None),
        capture_output=True,
        text=True,
        check=True,
    )
    return {name.partition(".")[0] for name in done.stderr.split()}


def test_status_imports_neither_yoyo_nor_rich(lite: Database, sql: Path, tmp_path: Path) -> None:
    applied(sql, lite)
    (tmp_path / "yoyo.ini").write_text(f"[DEFAULT]\ndatabase = {lite.url}\nsources = x\n[maxwell-db]\nsql = {sql}\n")
    for arguments in (["status"], ["--json", "status", "--exit-code"], ["--help"]):
        modules = modules_of(*arguments, cwd=tmp_path)
        assert "runner" in modules
        assert not modules & {"yoyo", "sqlparse", "rich", "psycopg2", "importlib_metadata"}
    assert {"yoyo"} <= modules_of("rollback", "001_a", "--yes", cwd=tmp_path)


# Help.


@pytest.mark.parametrize("command", [None, *COMMANDS, *ALIASES])
def test_every_command_has_help(command: str | None) -> None:
    result = maxwell_db(*([command] if command else []), "--help", sql=None)
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.startswith("Usage: maxwell-db")
    assert "--database" in result.stdout and "--json" in result.stdout
    if command:
        # Each option says what it is for.
        for line in result.stdout.partition("Options:")[2].splitlines():
            assert not re.fullmatch(r"  -\S+.*", line) or re.search(r"\S {2,}\S|\]$|[A-Z]$", line.strip()), line


def test_help_names_all_commands() -> None:
    text = maxwell_db("--help", sql=None).stdout
    assert all(re.search(rf"^  {command} +\w", text, re.MULTILINE) for command in COMMANDS)


def test_help_needs_no_database_and_no_file(tmp_path: Path) -> None:
    (tmp_path / "yoyo.ini").write_text("nonsense\n")
    for command in COMMANDS:
        assert maxwell_db(command, "--help", cwd=tmp_path).exit_code == 0
    assert list(tmp_path.iterdir()) == [tmp_path / "yoyo.ini"]


def test_version() -> None:
    result = maxwell_db("--version", sql=None)
    assert result.exit_code == 0 and re.fullmatch(r"maxwell-db \d+\.\d+\S*\n", result.stdout)


# Terminals and pipes.


def test_colours_only_on_a_terminal(lite: Database, sql: Path, tmp_path: Path) -> None:
    applied(sql, lite, "002_b")
    given = ["-d", lite.url, "--sql", str(sql), "status"]
    assert ANSI.search(in_terminal(*given, cwd=tmp_path).text)
    for more, env in ((["--no-color"], {}), ([], {"NO_COLOR": "1"}), ([], {"MAXWELL_DB_NO_COLOR": "1"})):
        screen = in_terminal(*given, *more, cwd=tmp_path, env=env)
        assert screen.exit_code == 0 and "001_a" in screen.text
        assert "\033" not in screen.text
    assert "\033" not in in_terminal("--json", *given, cwd=tmp_path).text


def test_progress_on_a_terminal_leaves_plain_lines(lite: Database, sql: Path, tmp_path: Path) -> None:
    screen = in_terminal("-d", lite.url, "--sql", str(sql), "apply", cwd=tmp_path)
    assert screen.exit_code == 0
    assert re.search(r"applied\s+003_c", screen.text) and "3 migrations applied" in screen.text
    plain = in_terminal("-d", lite.url, "--sql", str(sql), "apply", cwd=tmp_path, env={"NO_COLOR": "1"})
    assert plain.exit_code == 0 and "\033" not in plain.text


def test_rollback_without_a_terminal_needs_yes(database: Database, sql: Path) -> None:
    applied(sql, database, "002_b")
    before = footprint(database)
    result = maxwell_db("rollback", database=database, sql=sql)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "--yes" in result.stderr
    assert footprint(database) == before
    assert maxwell_db("rollback", "-y", database=database, sql=sql).exit_code == 0
    assert own_tables(database) == {"t_001_a"}


@pytest.mark.parametrize(("answer", "exit_code", "left"), [("y\n", 0, {"t_001_a"}), ("n\n", 2, {"t_001_a", "t_002_b"})])
def test_rollback_on_a_terminal_asks(
    lite: Database, sql: Path, tmp_path: Path, answer: str, exit_code: int, left: set[str]
) -> None:
    applied(sql, lite, "002_b")
    screen = in_terminal("-d", lite.url, "--sql", str(sql), "rollback", cwd=tmp_path, type_=answer, until="[y/N]")
    assert "002_b" in screen.text and "contract.db" in screen.text
    assert screen.exit_code == exit_code, screen.text
    assert "Traceback" not in screen.text and "interrupted" not in screen.text
    assert own_tables(lite) == left


def test_e09_the_question_shows_no_password(pg_base: Database, sql: Path, tmp_path: Path) -> None:
    parts = urlsplit(pg_base.url)
    url = urlunsplit(parts._replace(netloc=f"{parts.username}:s3cr3t@{parts.netloc.rpartition('@')[2]}"))
    applied(sql, pg_base, "001_a")
    screen = in_terminal("-d", url, "--sql", str(sql), "rollback", cwd=tmp_path, type_="y\n", until="[y/N]")
    assert screen.exit_code == 0 and "s3cr3t" not in screen.text
    assert f"in the database {parts.path[1:]}?" in screen.text


def test_rollback_on_a_terminal_does_not_ask_for_nothing(lite: Database, sql: Path, tmp_path: Path) -> None:
    applied(sql, lite, "001_a")
    screen = in_terminal("-d", lite.url, "--sql", str(sql), "rollback", "head", cwd=tmp_path, type_="n\n")
    assert screen.exit_code == 0 and "[y/N]" not in screen.text
    as_json = in_terminal("-d", lite.url, "--sql", str(sql), "--json", "rollback", cwd=tmp_path, type_="y\n")
    assert as_json.exit_code == 2 and "NOT_CONFIRMED" in as_json.text


def into_a_closed_pipe(
    *arguments: str, database: Database, sql: Path, cwd: Path, both: bool = False
) -> tuple[int, str]:
    """Run with a reader that is gone before the first byte."""
    read, write = os.pipe()
    os.close(read)
    process = subprocess.Popen(
        [sys.executable, "-m", "runner", "-d", database.url, "--sql", str(sql), *arguments],
        cwd=cwd,
        env=clean_environment(None),
        stdin=subprocess.DEVNULL,
        stdout=write,
        stderr=write if both else subprocess.PIPE,
        text=True,
    )
    os.close(write)
    _, stderr = process.communicate(timeout=60)
    return process.returncode, stderr or ""


@pytest.mark.parametrize(
    "arguments", [["status"], ["history"], ["--json", "status"], ["--json", "nonsense"], ["--help"]]
)
def test_a_reader_that_has_gone_is_no_traceback(
    lite: Database, sql: Path, tmp_path: Path, arguments: list[str]
) -> None:
    applied(sql, lite)
    exit_code, stderr = into_a_closed_pipe(*arguments, database=lite, sql=sql, cwd=tmp_path)
    assert exit_code in (1, 2)
    assert "Traceback" not in stderr and "BrokenPipe" not in stderr


def test_a_reader_of_progress_that_has_gone_stops_nothing(lite: Database, sql: Path, tmp_path: Path) -> None:
    into_a_closed_pipe("apply", database=lite, sql=sql, cwd=tmp_path, both=True)
    assert own_tables(lite) == {"t_001_a", "t_002_b", "t_003_c"}


def test_a_fault_of_the_program_is_one_message(lite: Database, sql: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import runner.operations.status

    def broken(*arguments: object, **options: object) -> None:
        raise RuntimeError("something nobody thought of")

    monkeypatch.setattr(runner.operations.status, "status", broken)
    result = maxwell_db("status", database=lite, sql=sql)
    assert (result.exit_code, result.stdout) == (1, "")
    assert "something nobody thought of" in result.stderr and "Traceback" not in result.stderr
    answer = maxwell_db("--json", "status", database=lite, sql=sql).json()
    assert (answer["ok"], answer["error"]["code"]) == (False, "INTERNAL")
    assert "Traceback" in maxwell_db("-v", "status", database=lite, sql=sql).stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
@pytest.mark.parametrize("command", [("status",), ("--json", "status"), ("lint",), ("--json", "lint")], ids=" ".join)
def test_a_full_disk_under_the_answer_is_one_message(lite: Database, sql: Path, command: tuple[str, ...]) -> None:
    applied(sql, lite)
    words = [sys.executable, "-m", "runner", *command, "-d", lite.url, "--sql", str(sql)]
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(words, cwd=ROOT, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 1
    assert "No space left on device" in done.stderr and "Traceback" not in done.stderr


@pytest.mark.parametrize("command", ["status", "history", "lint"])
def test_a_closed_stdout_is_no_fault(lite: Database, sql: Path, command: str) -> None:
    applied(sql, lite)
    words = [sys.executable, "-m", "runner", command, "-d", lite.url, "--sql", str(sql)]
    shell = ["sh", "-c", 'exec "$@" >&-', "sh", *words]
    done = subprocess.run(shell, cwd=ROOT, stderr=subprocess.PIPE, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_ctrl_c_exits_with_130(lite: Database, sql: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import runner.operations.status

    def interrupted(*arguments: object, **options: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(runner.operations.status, "status", interrupted)
    answer = maxwell_db("--json", "status", database=lite, sql=sql)
    assert (answer.exit_code, answer.json()["error"]["code"]) == (130, "INTERRUPTED")
    assert maxwell_db("status", database=lite, sql=sql).exit_code == 130


def test_as_a_program_of_its_own(lite: Database, sql: Path, tmp_path: Path) -> None:
    result = maxwell_db_process("--json", "apply", database=lite, sql=sql, cwd=tmp_path)
    assert (result.exit_code, result.json()["changed"]) == (0, True)
    result = maxwell_db_process("nonsense", cwd=tmp_path)
    assert (result.exit_code, result.stdout) == (2, "")


def test_the_default_database_is_a_file_here(sql: Path, tmp_path: Path) -> None:
    result = maxwell_db("--json", "apply", sql=sql, cwd=tmp_path)
    assert (result.exit_code, result.json()["database"]) == (0, "sqlite:///maxwell.db")
    with contextlib.closing(sqlite3.connect(tmp_path / "maxwell.db")) as connection:
        assert connection.execute("SELECT count(*) FROM _yoyo_migration").fetchone() == (3,)


def test_options_stand_on_either_side(lite: Database, sql: Path, make_database: Callable[[str], Database]) -> None:
    """The later one wins."""
    other = make_database("sqlite")
    before = maxwell_db("--json", "apply", "-d", other.url, database=lite, sql=sql)
    assert before.json()["database"] == other.url
    assert lite.path is not None and not lite.path.exists()
