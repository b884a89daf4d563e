"""``maxwell_database``: an application's tests get migrated databases, each its own, from migrations that ran once."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg2
import pytest

from tests.support.migrations import Folder
from tests.support.tool import MAXWELL, ROOT, clean_environment

Run = Callable[..., pytest.RunResult]

#: Tests of an application, each of which spoils its database. What they saw goes into a file for the tests of this one.
APPLICATION = """
    import json, os, pytest

    @pytest.mark.parametrize("number", range(4))
    def test_one_note(maxwell_database, number):
        connection = maxwell_database.connect()
        cursor = connection.cursor()
        cursor.execute("SELECT at_utc FROM _maxwell_ledger")
        ((migrated,),) = cursor.fetchall()
        cursor.execute("SELECT count(*) FROM note")
        assert cursor.fetchone() == (0,)
        cursor.execute("INSERT INTO note VALUES (1, 'mine')")
        cursor.execute("CREATE TABLE scrap (id INTEGER)")
        other = maxwell_database.connect().cursor()
        other.execute("SELECT body FROM note")
        assert other.fetchall() == [("mine",)]
        seen = dict(dialect=maxwell_database.dialect, url=maxwell_database.url, path=str(maxwell_database.path),
                    migrated=str(migrated), process=os.getpid())
        with open("seen", "a") as file:
            file.write(json.dumps(seen) + "\\n")
"""


@pytest.fixture
def run(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run pytest in the application's folder as a program of its own, with this checkout's plugin and no others."""
    for name in os.environ.keys() - clean_environment({}).keys():
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")

    def go(*arguments: str) -> pytest.RunResult:
        plugins = ("-p", "xdist.plugin", "-p", "runner.pytest_plugin", "-p", "no:cacheprovider")
        return pytester.runpytest_subprocess(*plugins, "-W", "error", *arguments, timeout=120)

    return go


@pytest.fixture
def application(pytester: pytest.Pytester) -> Path:
    """A folder with migrations for both dialects, and the tests above."""
    for dialect in ("sqlite", "postgres"):
        Folder(pytester.path / "sql" / dialect).add(
            "0001_notes",
            "CREATE TABLE note (id INTEGER NOT NULL PRIMARY KEY, body TEXT NOT NULL);\n",
            "DROP TABLE note;\n",
        )
    pytester.makepyfile(test_notes=APPLICATION)
    return pytester.path


def seen(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "seen").read_text().splitlines()]


def databases(pg_url: str) -> set[str]:
    with closing(psycopg2.connect(pg_url)) as connection, closing(connection.cursor()) as cursor:
        cursor.execute("SELECT datname FROM pg_database")
        return {name for (name,) in cursor.fetchall()}


@pytest.mark.parametrize("workers", [0, 2])
def test_each_test_has_its_own_and_the_migrations_ran_once(
    run: Run, application: Path, pg_url: str, workers: int
) -> None:
    """Alone, and under pytest-xdist, whose workers share the templates."""
    before = databases(pg_url)
    result = run("--maxwell-dialect", "both", "--maxwell-postgres-url", pg_url, "-n", str(workers))
    result.assert_outcomes(passed=8)
    found = seen(application)
    for dialect in ("sqlite", "postgres"):
        assert len({one["migrated"] for one in found if one["dialect"] == dialect}) == 1
    assert len({one["url"] for one in found}) == 8
    assert len({one["process"] for one in found}) == max(workers, 1)
    assert databases(pg_url) == before
    paths = [Path(one["path"]) for one in found if one["dialect"] == "sqlite"]
    assert len(paths) == 4 and not any(path.parent.exists() for path in paths)


def test_without_a_server_the_embedded_one_is_started_and_stopped(run: Run, application: Path, pg_url: str) -> None:
    result = run("--maxwell-dialect", "postgres", "-n", "2")
    result.assert_outcomes(passed=4)
    found = seen(application)
    assert len({one["migrated"] for one in found}) == 1
    assert not {one["url"] for one in found if "maxwell-scratch-" not in one["url"]}
    with pytest.raises(psycopg2.OperationalError):
        psycopg2.connect(found[0]["url"])


def test_what_a_killed_run_left_on_the_server_is_gone_after_the_next(
    run: Run, application: Path, pytester: pytest.Pytester, pg_url: str
) -> None:
    before = databases(pg_url)
    killed = pytester.mkpydir("killed") / "test_killed.py"
    killed.write_text("import os\ndef test_killed(maxwell_database):\n    os.kill(os.getpid(), 9)\n")
    options = ("--maxwell-dialect", "postgres", "--maxwell-postgres-url", pg_url)
    assert run(*options, str(killed)).ret == -9
    assert databases(pg_url) > before
    run(*options, "test_notes.py").assert_outcomes(passed=4)
    assert databases(pg_url) == before


def test_a_test_chooses_dialect_target_and_folder(run: Run, application: Path, pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        test_notes=f"""
        import sqlite3, pytest

        def tables(database):
            rows = database.connect().execute("SELECT name FROM sqlite_master WHERE type = 'table'")
            return {{name for (name,) in rows}}

        def test_of_its_own(maxwell_database_factory):
            old = maxwell_database_factory(sql={str(MAXWELL)!r}, target="1.0.0")
            new = maxwell_database_factory("sqlite", sql={str(MAXWELL)!r})
            assert "manuscripts" in tables(old) and "scenes" not in tables(old)
            assert "scenes" in tables(new) and old.path != new.path

        def test_foreign_keys_are_enforced(maxwell_database_factory):
            connection = maxwell_database_factory(sql={str(MAXWELL)!r}).connect()
            with pytest.raises(sqlite3.IntegrityError):
                connection.execute("INSERT INTO scenes (id, manuscript_id, position) VALUES ('s', 'nowhere', 1)")

        @pytest.mark.parametrize("maxwell_dialect", ["sqlite"])
        def test_by_a_parameter(maxwell_database):
            assert maxwell_database.dialect == "sqlite"

        class TestByAFixture:
            @pytest.fixture
            def maxwell_dialect(self):
                return "sqlite"

            def test_it(self, maxwell_database):
                assert maxwell_database.url.startswith("sqlite:////") and maxwell_database.path.is_file()

        def test_connections_are_closed(maxwell_database):
            test_connections_are_closed.last = maxwell_database.connect()

        def test_afterwards():
            with pytest.raises(sqlite3.ProgrammingError, match="closed"):
                test_connections_are_closed.last.execute("SELECT 1")
        """
    )
    run().assert_outcomes(passed=6)


def test_where_the_settings_come_from(
    run: Run, application: Path, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A flag, pytest's ini file, the tool's variable, the tool's file; seen from the folder of pytest's ini file."""
    for name in ("flag", "ini", "env", "file"):
        Folder(application / name).add(f"0001_{name}", f"CREATE TABLE of_{name} (id INTEGER);\n")
    pytester.makepyfile(
        test_notes="""
        def test_it(maxwell_database):
            print([name for (name,) in maxwell_database.connect().execute("SELECT name FROM sqlite_master")])
        """
    )
    (application / "yoyo.ini").write_text("[maxwell-db]\nsql = file\n")
    run("-rP").stdout.fnmatch_lines(["*of_file*"])
    monkeypatch.setenv("MAXWELL_DB_SQL", "env")
    run("-rP").stdout.fnmatch_lines(["*of_env*"])
    pytester.makeini("[pytest]\nmaxwell_sql = ini\n")
    run("-rP").stdout.fnmatch_lines(["*of_ini*"])
    run("-rP", "--maxwell-sql", "flag").stdout.fnmatch_lines(["*of_flag*"])


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--maxwell-sql", "nowhere"], ["*there are no migrations in */nowhere", "*maxwell_sql = DIR*"]),
        (["--maxwell-sql", "bad"], ["*0001_bad.sql:4: *nonsense*"]),
        (["--maxwell-target", "9.9"], ["*no migration is called '9.9'*", "Candidates: 0001_notes*"]),
        (["--maxwell-dialect", "oracle"], ["*'oracle' is neither sqlite nor postgres nor both*"]),
        (
            ["--maxwell-dialect", "postgres", "--maxwell-postgres-url", "postgresql://me:s3cret@127.0.0.1:1/x"],
            ["postgresql://me@127.0.0.1:1/x: *", "Check host, port*"],
        ),
    ],
    ids=["folder", "file", "target", "dialect", "server"],
)
def test_what_is_wrong_is_said_without_a_traceback(
    run: Run, application: Path, arguments: list[str], says: list[str]
) -> None:
    Folder(application / "bad").add("0001_bad", "CREATE TABLE a (id INTEGER);\nnonsense;\n")
    result = run("test_notes.py::test_one_note", *arguments)
    assert result.ret != 0
    result.stdout.fnmatch_lines(says)
    result.stdout.no_fnmatch_line("*Traceback*")
    result.stdout.no_fnmatch_line("*s3cret*")


def test_other_suites_are_left_alone(run: Run, pytester: pytest.Pytester) -> None:
    """Nothing is imported, made or warned of; a file of the tool's that is wrong is none of their business."""
    (pytester.path / "yoyo.ini").write_text("[maxwell-db]\nnonsense = 1\n")
    pytester.makepyfile(
        """
        import sys

        def test_it():
            heavy = {"yoyo", "psycopg2", "click", "rich", "sqlparse", "runner.scratch", "runner.errors", "verify"}
            assert not heavy & sys.modules.keys()
        """
    )
    result = run("--strict-config", "--strict-markers")
    result.assert_outcomes(passed=1, warnings=0)
