"""``python -m verify`` as its users meet it, and the hook that runs it after a plain ``yoyo apply``."""

from __future__ import annotations

import json
import os
import shutil
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.databases import Database
from tests.support.maxwell_schema import SQL
from verify.cli import main
from verify.connect import mask_password, open_read_only, sqlite_path
from verify.errors import VerifyError

ROOT = Path(__file__).parents[1]
HOOKS = ROOT / "verify" / "hooks"
MakeDatabase = Callable[[str], Database]

# One error, two warnings, one check that is skipped.
SCHEMA = """
CREATE TABLE manuscripts (id varchar(9) PRIMARY KEY, lexical_state text);
CREATE TABLE scenes (id varchar(9) PRIMARY KEY, manuscript_id varchar(9) REFERENCES manuscripts (id));
CREATE TABLE snapshots (id varchar(9) PRIMARY KEY, trigger_type varchar(9));
"""
ORPHAN = "INSERT INTO scenes VALUES ('s', 'gone');"
WARNINGS = "INSERT INTO snapshots VALUES ('a', 'CRON'), ('b', 'x');"


@pytest.fixture
def broken(database: Database) -> Database:
    replica = "SET session_replication_role = replica;" if database.dialect == "postgres" else ""
    database.script(replica + SCHEMA + ORPHAN + WARNINGS)
    return database


@pytest.fixture
def ask(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Run the command in this process; exit code, stdout and stderr."""

    def run(*arguments: str) -> tuple[int, str, str]:
        code = main(list(arguments))
        output = capsys.readouterr()
        return code, output.out, output.err

    return run


Ask = Callable[..., tuple[int, str, str]]


def test_the_text_names_what_is_wrong(broken: Database, ask: Ask) -> None:
    code, out, err = ask("-d", broken.url)
    assert (code, err) == (4, "")
    lines = out.splitlines()
    at = next(number for number, line in enumerate(lines) if line.startswith("FAILED"))
    assert lines[at].split()[1:3] == ["orphan:scenes(manuscript_id)->manuscripts", "1"]
    assert lines[at + 1] == "           scenes  s: manuscript_id gone is not in manuscripts"
    assert 'snapshots  a: trigger_type is "CRON"' in out
    assert "skipped  scene-position" in " ".join(out.split(" ")) and 'no column "position"' in out
    assert "1 error, 2 warnings, " in lines[-1] and lines[-1].endswith("3 rows in 3 tables.")


def test_the_json_is_one_object_of_the_documented_shape(broken: Database, ask: Ask) -> None:
    code, out, err = ask("--database", broken.url, "--json")
    answer = json.loads(out)
    assert (code, err) == (4, "")
    assert {key: answer[key] for key in ("command", "ok", "exit_code", "dialect")} == {
        "command": "verify",
        "ok": False,
        "exit_code": 4,
        "dialect": broken.dialect,
    }
    assert set(answer) == {"command", "ok", "exit_code", "database", "dialect", "checks", "counts"}
    assert answer["counts"] == {"manuscripts": 0, "scenes": 1, "snapshots": 2}
    for check in answer["checks"]:
        expected = {"name", "kind", "severity", "status", "violations", "sample", "duration_ms"}
        assert set(check) == expected | ({"reason"} if check["status"] == "skipped" else set())
    (orphan,) = [check for check in answer["checks"] if check["kind"] == "orphan"]
    assert orphan["sample"] == [{"table": "scenes", "key": "s", "detail": "manuscript_id gone is not in manuscripts"}]


def test_exit_codes_follow_severity(broken: Database, ask: Ask) -> None:
    assert ask("-d", broken.url, "--only", "snapshot-trigger")[0] == 4
    assert ask("-d", broken.url, "--only", "snapshot-trigger", "--fail-on", "error")[0] == 0
    assert ask("-d", broken.url, "--fail-on", "error")[0] == 4
    assert ask("-d", broken.url, "--only", "key:*")[0] == 0
    assert ask("-d", broken.url, "--only", "scene-position")[0] == 0  # skipped


def test_only_takes_names_and_patterns_and_sample_limits(broken: Database, ask: Ask) -> None:
    _, out, _ = ask("-d", broken.url, "--only", "orphan:*", "--only", "snapshot-trigger", "--sample", "1", "--json")
    checks = json.loads(out)["checks"]
    assert [check["name"] for check in checks] == ["orphan:scenes(manuscript_id)->manuscripts", "snapshot-trigger"]
    assert [(check["violations"], len(check["sample"])) for check in checks] == [(1, 1), (2, 1)]
    assert "and 1 more" in ask("-d", broken.url, "--sample", "1")[1]


def test_quiet_says_only_what_is_wrong(broken: Database, ask: Ask) -> None:
    _, out, _ = ask("-d", broken.url, "--quiet")
    assert [line.split()[0] for line in out.splitlines() if not line.startswith(" ")] == ["FAILED", "warning"]
    assert ask("-d", broken.url, "--quiet", "--only", "key:*") == (0, "", "")


def test_list_and_sql_run_nothing(broken: Database, ask: Ask) -> None:
    code, out, _ = ask("-d", broken.url, "--list")
    assert code == 0 and "Each manuscript_id of scenes names a row of manuscripts." in out
    assert "gone" not in out
    code, out, _ = ask("-d", broken.url, "--sql", "--only", "orphan:*")
    assert code == 0
    assert broken.query("\n".join(line for line in out.splitlines() if not line.startswith("--")).rstrip().rstrip(";"))
    code, out, _ = ask("-d", broken.url, "--list", "--json")
    names = {check["name"]: check for check in json.loads(out)["checks"]}
    assert code == 0 and names["snapshot-trigger"]["severity"] == "warn" and "SELECT" in names["key:scenes"]["sql"]


def test_checks_of_ones_own_are_run(broken: Database, ask: Ask, tmp_path: Path) -> None:
    folder = tmp_path / "my checks"
    folder.mkdir()
    (folder / "mine.sql").write_text(
        "-- check: mine\n-- severity: error\n-- Never.\nSELECT 'x' AS table_name, 'y' AS row_key, '100%' AS detail"
    )
    code, out, _ = ask("-d", broken.url, "--checks", str(folder), "--only", "mine")
    assert code == 4 and "x  y: 100%" in out
    (folder / "mine.sql").write_text("-- check: mine\n-- sverity: error\n-- Never.\nSELECT 1")
    code, out, err = ask("-d", broken.url, "--checks", str(folder))
    assert (code, out) == (2, "") and f"{folder / 'mine.sql'}:2: unknown header key" in err


def test_a_check_that_the_database_refuses_exits_1(broken: Database, ask: Ask, tmp_path: Path) -> None:
    (tmp_path / "mine.sql").write_text("-- check: mine\n-- severity: error\n-- Never.\nSELECT nope FROM scenes")
    code, out, err = ask("-d", broken.url, "--checks", str(tmp_path), "--json")
    answer = json.loads(out)
    assert (code, answer["exit_code"], answer["ok"]) == (1, 1, False)
    assert set(answer["error"]) == {"code", "message", "hint", "file", "line", "statement"}
    assert (answer["error"]["code"], answer["error"]["line"]) == ("CHECK_FAILED", 4)
    assert "nope" in err and "Traceback" not in err


def test_control_characters_in_the_data_do_not_reach_the_terminal(make_database: MakeDatabase, ask: Ask) -> None:
    database = make_database("sqlite")
    database.script(SCHEMA + "INSERT INTO scenes VALUES ('\x1b[2J\nFAKE', '\u202egone')")
    _, out, _ = ask("-d", database.url)
    assert "\x1b" not in out and "\u202e" not in out
    assert r"\x1b[2J\nFAKE: manuscript_id \u202egone is not in manuscripts" in out


# --- what is given is wrong


def test_a_missing_file_is_not_made(tmp_path: Path, ask: Ask) -> None:
    path = tmp_path / "no ne.db"
    code, out, err = ask("-d", f"sqlite:///{tmp_path}/no%20ne.db", "--json")
    assert (code, json.loads(out)["error"]["code"]) == (2, "NO_DATABASE")
    assert str(path) in err and not path.exists()
    assert ask("-d", f"sqlite:///{tmp_path}")[0] == 2
    assert "is a folder" in ask("-d", f"sqlite:///{tmp_path}")[2]


def test_an_empty_file_is_an_empty_database(tmp_path: Path, ask: Ask) -> None:
    path = tmp_path / "empty.db"
    path.touch()
    code, out, _ = ask("-d", f"sqlite:///{path}")
    assert code == 0 and "The database has no tables." in out
    assert path.stat().st_size == 0


def test_what_is_no_database_is_said_at_once(tmp_path: Path, ask: Ask) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("nothing to see here, certainly no database of any kind\n" * 50)
    code, _, err = ask("-d", f"sqlite:///{path}")
    assert code == 2 and f"not a SQLite database: {path}" in err


@pytest.mark.parametrize("name", ["a b.db", "ü#?%41.db", "q&=;+.db", "100%.db"])
def test_the_file_that_is_opened_is_the_one_that_was_named(name: str, tmp_path: Path) -> None:
    from urllib.parse import quote

    path = tmp_path / name
    with sqlite3.connect(path) as writer:
        writer.execute("CREATE TABLE here (id INTEGER PRIMARY KEY)")
    writer.close()
    connection, dialect = open_read_only(f"sqlite:///{quote(str(path))}")
    assert (dialect, connection.execute("SELECT name FROM sqlite_master").fetchall()) == ("sqlite", [("here",)])
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        connection.execute("DELETE FROM here")
    connection.close()
    assert [one.name for one in tmp_path.iterdir()] == [name]


def test_a_relative_path_starts_in_the_working_folder() -> None:
    assert sqlite_path("sqlite:///data/a.db") == Path("data/a.db")
    assert sqlite_path("sqlite:////data/a%20b.db") == Path("/data/a b.db")


BAD_URLS = [
    "hunter2",
    "mysql://me:hunter2@host/db",
    "sqlite:",
    "sqlite://",
    "sqlite:///",
    "sqlite://hunter2.db",
    "sqlite:///a.db?mode=hunter2",
    "sqlite:///a#hunter2.db",
    "sqlite:///%FFhunter2",
    "sqlite:///a%00hunter2",
    "sqlite:///:memory:",
    "postgresql:hunter2",
    "postgresql://me:hunter2/@host/db",
    "postgresql://me:hun/ter2@host/db",
    "postgresql://me:12#hunter2@host/db",
    "postgresql://me:12?hunter2@host/db",
    "postgresql://me:12/hunter2@host/db",
    "postgresql://me@host:hunter2/db",
    "postgresql://me@[hunter2/db",
    "postgresql://me@host/db?hunter2=1",
]


@pytest.mark.parametrize("url", BAD_URLS)
def test_a_bad_url_is_refused_and_no_part_of_it_repeated(url: str, ask: Ask) -> None:
    code, out, err = ask("-d", url, "--json")
    answer = json.loads(out)
    assert (code, answer["error"]["code"]) == (2, "BAD_URL")
    assert "hunter2" not in err and "ter2" not in answer["error"]["message"]
    if not url.startswith("sqlite") and "hunter2=1" not in url:
        assert "ter2" not in out


def test_a_server_that_is_not_there_is_said_without_the_password(ask: Ask) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        code, out, err = ask("-d", f"postgresql://me:hunter2@127.0.0.1:{port}/db?connect_timeout=3", "--json")
    answer = json.loads(out)
    assert (code, answer["error"]["code"]) == (1, "UNREACHABLE")
    assert answer["database"] == f"postgresql://me:***@127.0.0.1:{port}/db?connect_timeout=3"
    assert "hunter2" not in out + err and "Traceback" not in err


def test_a_database_that_the_server_does_not_have(make_database: MakeDatabase, ask: Ask) -> None:
    url = make_database("postgres").url.replace("/scratch_", "/nowhere_")
    code, _, err = ask("-d", url)
    assert code == 1 and "does not exist" in err


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://me:s3cret@host/db", "postgresql://me:***@host/db"),
        ("postgres://me@host:5433/db?sslpassword=s3cret&a=b", "postgres://me@host:5433/db?sslpassword=***&a=b"),
        ("postgresql:///db?host=/run&password=s3cret", "postgresql:///db?host=/run&password=***"),
        ("postgresql://me:a%40s3cret@host/db", "postgresql://me:***@host/db"),
        ("postgresql://me:s3/cret@host/db", "(unreadable URL)"),
        ("sqlite:///a.db", "sqlite:///a.db"),
    ],
)
def test_no_password_is_shown(url: str, shown: str) -> None:
    assert mask_password(url) == shown


def test_the_session_on_postgresql_cannot_write(make_database: MakeDatabase) -> None:
    database = make_database("postgres")
    database.script(SCHEMA)
    connection, dialect = open_read_only(database.url)
    with pytest.raises(Exception, match="read-only transaction"):
        connection.cursor().execute("INSERT INTO scenes VALUES ('s', NULL)")
    connection.close()
    assert dialect == "postgres"


def test_a_schema_in_the_url_is_the_one_that_is_checked(make_database: MakeDatabase, ask: Ask) -> None:
    database = make_database("postgres")
    database.script('CREATE SCHEMA "My Own"; CREATE TABLE "My Own".here (id int); CREATE TABLE public.there (id int)')
    url = database.url + ("&" if "?" in database.url else "?") + "schema=My%20Own"
    assert json.loads(ask("-d", url, "--json")[1])["counts"] == {"here": 0}
    code, _, err = ask("-d", url.replace("Own", 'Own"; DROP TABLE there; --'))
    assert code == 1 or "search_path" in err
    assert database.tables() == {"there"}


@pytest.mark.parametrize(
    "arguments", [["--sample", "-1"], ["--sample", "x"], ["--fail-on", "never"], ["--nope"], ["extra"]]
)
def test_wrong_usage_exits_2_and_is_json_too(arguments: list[str], ask: Ask) -> None:
    code, out, err = ask("-d", "sqlite:///x.db", "--json", *arguments)
    answer = json.loads(out)
    assert (code, answer["error"]["code"], answer["database"]) == (2, "USAGE", None)
    assert err.startswith("error: ")


def test_an_unknown_check_exits_2_with_the_near_ones(broken: Database, ask: Ask) -> None:
    code, _, err = ask("-d", broken.url, "--only", "snapshot-triger")
    assert code == 2 and "snapshot-trigger" in err


def test_no_database_at_all(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DATABASE_URL", raising=False)
    code, _, err = ask()
    assert code == 2 and "DATABASE_URL" in err
    assert ask("--help")[0] == 0


# --- as a process


def python_m(module: str, *arguments: str, cwd: Path | None = None, **environment: str) -> Any:
    return subprocess.run(
        [sys.executable, "-m", module, *arguments],
        cwd=cwd or ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "default", **environment},
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_as_a_process_with_the_url_from_the_environment(make_database: MakeDatabase) -> None:
    database = make_database("sqlite")
    database.script(SCHEMA + ORPHAN)
    done = python_m("verify", DATABASE_URL=database.url)
    assert done.returncode == 4 and "1 error" in done.stdout and done.stderr == ""
    done = python_m("verify", "--list", DATABASE_URL=database.url, PYTHONIOENCODING="ascii")
    assert done.returncode == 0 and done.stderr == ""


def test_a_hot_journal_is_explained(make_database: MakeDatabase, ask: Ask) -> None:
    database = make_database("sqlite")
    database.script(SCHEMA)
    assert database.path is not None
    journal = Path(f"{database.path}-journal")
    with database.connect() as writer:
        writer.execute("PRAGMA cache_size = 1")
        writer.execute("BEGIN IMMEDIATE")
        writer.execute("CREATE TABLE filler (x)")
        writer.executemany("INSERT INTO filler VALUES (?)", [("x" * 4000,)] * 50)
        crashed = database.path.with_name("crashed.db")
        shutil.copyfile(database.path, crashed)
        shutil.copyfile(journal, f"{crashed}-journal")
        writer.execute("ROLLBACK")
    code, _, err = ask("-d", f"sqlite:///{crashed}")
    assert code == 1 and "crash" in err and "Traceback" not in err


def test_a_write_ahead_log_is_read(make_database: MakeDatabase, ask: Ask) -> None:
    database = make_database("sqlite")
    with database.connect() as writer:
        writer.execute("PRAGMA journal_mode = WAL")
        writer.executescript(SCHEMA + ORPHAN)
        assert ask("-d", database.url)[0] == 4


# --- the hook of plain yoyo


def yoyo(verb: str, database: Database, *sources: Path | str, cwd: Path) -> Any:
    url = database.url.replace("postgres:@", "postgres@")
    return python_m("yoyo", verb, "--batch", "--database", url, *map(str, sources), cwd=cwd)


@pytest.mark.parametrize("hooks", [HOOKS, "package:verify:hooks"])
def test_a_plain_yoyo_apply_is_verified(database: Database, hooks: Path | str, tmp_path: Path) -> None:
    maxwell = SQL / database.dialect
    done = yoyo("apply", database, maxwell, hooks, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "no violations" in done.stderr
    more = tmp_path / "more"
    more.mkdir()
    wrong = "INSERT INTO entities (id, type, name) VALUES ('e1', 'ROBOT', 'x');"
    (more / "20270101_0900_phase9_wrong_data.sql").write_text(
        f"-- depends: 20260126_1000_phase3_coach_add_tables\n{wrong}\n"
    )
    done = yoyo("apply", database, maxwell, more, hooks, cwd=tmp_path)
    assert done.returncode == 4, done.stderr
    assert 'entities  e1: type is "ROBOT"' in done.stderr and "Traceback" not in done.stderr
    assert database.value("SELECT count(*) FROM yoyo_lock") == 0
    files = [path for path in maxwell.glob("*.sql") if not path.name.endswith(".rollback.sql")]
    assert database.value("SELECT count(*) FROM _yoyo_migration") == len(files) + 1
    done = yoyo("apply", database, maxwell, more, hooks, cwd=tmp_path)
    assert done.returncode == 0  # nothing was applied: yoyo runs no hook


def test_the_hook_says_in_a_line_what_it_cannot_do(make_database: MakeDatabase, tmp_path: Path) -> None:
    database = make_database("postgres")
    bad = tmp_path / "bad"
    bad.mkdir()
    (bad / "20270101_0900_phase9_hide.sql").write_text(
        "CREATE SCHEMA hidden; DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET search_path = nowhere',"
        " current_database()); END $$;\n"
    )
    done = yoyo("apply", database, bad, HOOKS, cwd=tmp_path)
    assert done.returncode == 2 and "search_path" in done.stderr and "Traceback" not in done.stderr


def test_the_hooks_folder_holds_the_hook_alone() -> None:
    assert [path.name for path in HOOKS.iterdir() if path.name != "__pycache__"] == ["post-apply.py"]


def test_an_error_can_be_shown_without_a_file() -> None:
    error = VerifyError("broken", code="X", file=Path("a.sql"), line=3)
    assert str(error) == "a.sql:3: broken"
    assert str(VerifyError("broken", code="X")) == "broken"
