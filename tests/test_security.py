"""The page on security says what is so: its scripts are run, and each role of theirs tries what it may and may not."""

from __future__ import annotations

import os
import re
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import psycopg2
import psycopg2.errors
import pytest

from tests.support.databases import Database, run_as_admin, sqlite_database
from tests.support.folders import all_tables, footprint, marks, own_tables
from tests.support.maxwell_rows import rows_added_by, sample_rows
from tests.support.maxwell_schema import HEAD, VERSIONS
from tests.support.tool import MAXWELL, ROOT, Result, clean_environment, maxwell_db

PAGE = (ROOT / "docs" / "security.md").read_text()
AS_SUPERUSER, AS_MIGRATOR, ON_13 = re.findall(r"^```sql\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
EARLY = "1.1.0"  # where the database stands when the scripts have been run; what comes later is covered all the same
LATER = tuple(version for version in VERSIONS if VERSIONS.index(version) > VERSIONS.index(EARLY))
BOOKKEEPING = ("_maxwell_ledger", "_maxwell_transfer", "_yoyo_log", "_yoyo_migration", "_yoyo_version", "yoyo_lock")
WRITES = (["apply"], ["rollback", "--yes"], ["stamp", "1.0.0"])


@dataclass(frozen=True)
class Role:
    """One of the page's three, under a name of this run's own."""

    name: str
    url: str

    def run(self, *arguments: str, sql: Path = MAXWELL) -> Result:
        """Call the tool as this role."""
        return maxwell_db(*arguments, database=self.url, sql=sql)

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        """Send statements as this role, in a session of their own that commits."""
        with closing(psycopg2.connect(self.url)) as connection, closing(connection.cursor()) as cursor:
            connection.autocommit = True
            cursor.execute(sql)
            return cursor.fetchall() if cursor.description else []

    def is_denied(self, sql: str) -> bool:
        """Does the database refuse this for want of a right, and for no other reason?"""
        try:
            self.query(sql)
        except psycopg2.errors.InsufficientPrivilege:
            return True
        return False


@dataclass(frozen=True)
class Site:
    """A scratch database with the three roles of the page's first script."""

    database: Database
    migrator: Role
    verifier: Role
    app: Role

    def own_names(self, script: str) -> str:
        """A script of the page, with this run's names of the roles."""
        return re.sub(r"\bmaxwell_(?:migrator|verifier|app)\b", rf"\g<0>_{os.getpid()}", script)

    def apply(self, *target: str, sql: Path = MAXWELL) -> None:
        result = self.migrator.run("apply", *target, sql=sql)
        assert result.exit_code == 0, result.stderr


@pytest.fixture
def empty(make_database: Callable[[str], Database], pg_url: str) -> Iterator[Site]:
    """After the page's first script, on a database without tables. By ``pg_url`` its tests get their mark."""
    database = make_database("postgres")
    migrator, verifier, app = (
        _role(database, f"maxwell_{name}_{os.getpid()}") for name in ("migrator", "verifier", "app")
    )
    site = Site(database, migrator, verifier, app)
    names = [role.name for role in (migrator, verifier, app)]
    try:
        run_as_admin(database.url, site.own_names(AS_SUPERUSER))
        yield site
    finally:
        made = database.query(f"SELECT rolname FROM pg_roles WHERE rolname IN ({', '.join(map(repr, names))})")
        for (name,) in made:
            run_as_admin(database.url, f"DROP OWNED BY {name} CASCADE", f"DROP ROLE {name}")


@pytest.fixture
def site(empty: Site) -> Site:
    """After all of the page's steps, at a version that is not the last."""
    empty.apply(EARLY)
    empty.migrator.query(empty.own_names(AS_MIGRATOR))
    return empty


def _role(database: Database, name: str) -> Role:
    parts = urlsplit(database.url)
    place = parts.netloc.rpartition("@")[2]
    return Role(name, urlunsplit((parts.scheme, f"{name}@{place}", parts.path, parts.query, "")))


def _assert_one_error(result: Result, *words: str) -> None:
    errors = [line for line in result.stderr.splitlines() if line.startswith("error: ")]
    assert (result.exit_code, result.stdout, len(errors)) == (1, "", 1), result
    assert "Traceback" not in result.stderr
    assert any(word in errors[0] for word in words), result.stderr
    assert ".sql" not in result.stderr, "no file is at fault"


# The migrator.


def test_the_migrator_applies_rolls_back_and_applies_by_the_tool(site: Site) -> None:
    site.apply()
    back = site.migrator.run("rollback", "base", "--yes")
    assert back.exit_code == 0, back.stderr
    assert (own_tables(site.database), marks(site.database)) == (set(), [])
    site.apply()
    status = site.migrator.run("--json", "status", "--exit-code")
    assert (status.exit_code, status.json()["pending"]) == (0, 0)


def test_what_the_migrator_makes_is_its_own(site: Site) -> None:
    site.apply()
    owners = site.database.query("SELECT DISTINCT tableowner FROM pg_tables WHERE schemaname = 'public'")
    assert owners == [(site.migrator.name,)]


@pytest.mark.parametrize(
    "statement",
    ["CREATE ROLE other", "CREATE SCHEMA other", "SELECT * FROM pg_authid", "COPY (SELECT 1) TO '/dev/null'"],
)
def test_the_migrator_rules_its_schema_and_nothing_else(site: Site, statement: str) -> None:
    assert site.migrator.is_denied(statement)


def test_the_migrator_says_which_session_of_another_role_is_in_the_way(site: Site) -> None:
    with closing(psycopg2.connect(site.app.url, application_name="the editor")) as reader:
        reader.cursor().execute("SELECT * FROM entities")
        result = site.migrator.run("rollback", "--yes", "--ddl-lock-timeout", "0.3", "--ddl-lock-try", "0.1")
        assert result.exit_code == 1
        assert f"the editor, server process {reader.info.backend_pid} of {site.app.name}" in result.stderr
    assert site.migrator.run("rollback", "--yes").exit_code == 0


def test_unlock_sees_the_session_of_another_role_that_may_be_a_plain_yoyo(site: Site) -> None:
    with closing(psycopg2.connect(site.app.url)):
        site.migrator.query("INSERT INTO yoyo_lock (locked, ctime, pid) VALUES (1, now() AT TIME ZONE 'UTC', 1)")
        held = site.migrator.run("unlock")
        assert (held.exit_code, f"of {site.app.name}" in held.stderr) == (5, True), held
    assert site.migrator.query("SELECT pid FROM yoyo_lock") == [(1,)]


# The verifier.


def test_the_verifier_verifies_and_looks(site: Site) -> None:
    site.apply()
    site.database.script(sample_rows(HEAD))
    for command in (["verify"], ["status", "--exit-code"], ["history"]):
        result = site.verifier.run(*command)
        assert result.exit_code == 0, result.stderr
    site.database.script("SET session_replication_role = replica; DELETE FROM manuscripts")
    assert site.verifier.run("verify").exit_code == 4, "it sees the rows themselves"


def test_the_verifier_needs_no_more_for_the_checks_alone(site: Site, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "verify", "--database", site.verifier.url],
        cwd=tmp_path,
        env=clean_environment(None),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "0 rows in 7 tables" in done.stdout


def test_on_13_the_verifier_sees_as_much_by_grants(site: Site) -> None:
    run_as_admin(site.database.url, f"REVOKE pg_read_all_data FROM {site.verifier.name}")
    assert site.verifier.is_denied("SELECT * FROM manuscripts")
    site.migrator.query(site.own_names(ON_13))
    site.apply()
    for command in (["verify"], ["status", "--exit-code"], ["history"]):
        result = site.verifier.run(*command)
        assert result.exit_code == 0, result.stderr
    assert site.verifier.query("SELECT count(*) FROM timeline_events") == [(0,)]
    assert site.verifier.is_denied("BEGIN READ WRITE; DELETE FROM timeline_events")


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO manuscripts (id, title) VALUES ('x', 'x')",
        "UPDATE manuscripts SET title = 'x'",
        "DELETE FROM _yoyo_migration",
        "TRUNCATE _maxwell_ledger",
        "CREATE TABLE more (id INTEGER)",
        "DROP TABLE manuscripts",
    ],
)
def test_the_verifier_writes_nothing(site: Site, statement: str) -> None:
    before = footprint(site.database)
    with pytest.raises(psycopg2.errors.ReadOnlySqlTransaction):
        site.verifier.query(statement)
    assert site.verifier.is_denied(f"BEGIN READ WRITE; {statement}"), "nor with its default off"
    assert footprint(site.database) == before


@pytest.mark.parametrize("command", WRITES, ids=" ".join)
def test_a_run_as_the_verifier_fails_and_leaves_nothing(site: Site, command: list[str]) -> None:
    before = footprint(site.database)
    _assert_one_error(site.verifier.run(*command), "read-only transaction")
    assert footprint(site.database) == before


def test_a_first_run_as_another_role_than_the_migrator_leaves_nothing(empty: Site) -> None:
    _assert_one_error(empty.verifier.run("apply"), "read-only transaction")
    _assert_one_error(empty.app.run("apply"), "permission denied")
    assert all_tables(empty.database) == set()


# The application.


def test_the_app_reads_and_writes_rows_of_every_table_of_later_ones_too(site: Site) -> None:
    site.app.query(sample_rows(EARLY))
    site.apply()
    for version in LATER:
        site.app.query(rows_added_by(version))
    tables = own_tables(site.database)
    assert len(tables) == 16
    for table in tables:
        ((key,),) = site.database.query(
            "SELECT a.attname FROM pg_index AS i JOIN pg_attribute AS a ON a.attrelid = i.indrelid"
            f" AND a.attnum = i.indkey[0] WHERE i.indisprimary AND i.indrelid = '{table}'::regclass"
        )
        assert site.app.query(f"SELECT count(*) FROM {table}")[0][0] > 0, table
        site.app.query(f"UPDATE {table} SET {key} = {key}; DELETE FROM {table} WHERE {key} = 'not there'")
    site.app.query("DELETE FROM manuscripts")
    assert site.app.query("SELECT count(*) FROM scenes") == [(0,)]


def test_the_app_can_use_the_sequence_of_a_later_migration(site: Site, tmp_path: Path) -> None:
    root = tmp_path / "sql"
    shutil.copytree(MAXWELL, root)
    name = "20990101_0000_later_numbers_add"
    (root / "postgres" / f"{name}.sql").write_text("CREATE TABLE numbers (id SERIAL PRIMARY KEY, body TEXT);\n")
    (root / "postgres" / f"{name}.rollback.sql").write_text("DROP TABLE numbers;\n")
    site.apply(sql=root)
    assert site.app.query("INSERT INTO numbers (body) VALUES ('x') RETURNING id") == [(1,)]


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TABLE more (id INTEGER)",
        "CREATE SCHEMA more",
        "CREATE INDEX more ON manuscripts (title)",
        "CREATE FUNCTION more() RETURNS integer LANGUAGE sql AS 'SELECT 1'",
        "ALTER TABLE manuscripts ADD COLUMN more INTEGER",
        "ALTER TABLE manuscripts DISABLE TRIGGER ALL",
        "DROP TABLE manuscripts",
        "TRUNCATE manuscripts CASCADE",
        "GRANT SELECT ON _yoyo_log TO CURRENT_USER",
    ],
)
def test_the_app_changes_no_table_s_shape(site: Site, statement: str) -> None:
    before = footprint(site.database)
    assert site.app.is_denied(statement)
    assert footprint(site.database) == before


@pytest.mark.parametrize("after", ["the scripts", "base and back"])
def test_the_bookkeeping_is_closed_to_the_app(site: Site, after: str) -> None:
    if after == "base and back":
        assert site.migrator.run("rollback", "base", "--yes").exit_code == 0
        site.apply()
    there = all_tables(site.database) - own_tables(site.database)
    assert set(BOOKKEEPING) - there <= ({"_maxwell_transfer"} if after == "the scripts" else set())
    assert there <= set(BOOKKEEPING)
    for table in sorted(there):
        ((column,),) = site.database.query(
            f"SELECT attname FROM pg_attribute WHERE attrelid = '{table}'::regclass AND attnum = 1"
        )
        for statement in (
            f"SELECT 1 FROM {table}",
            f"INSERT INTO {table} DEFAULT VALUES",
            f"UPDATE {table} SET {column} = {column}",
            f"DELETE FROM {table}",
            f"TRUNCATE {table}",
            f"BEGIN; LOCK TABLE {table}",
        ):
            assert site.app.is_denied(statement), statement


@pytest.mark.parametrize("command", [*WRITES, ["status"], ["history"]], ids=" ".join)
def test_a_run_as_the_app_fails_and_leaves_nothing(site: Site, command: list[str]) -> None:
    before = footprint(site.database)
    _assert_one_error(site.app.run(*command), "permission denied")
    assert footprint(site.database) == before


def test_the_second_script_too_early_leaves_nothing(empty: Site) -> None:
    with pytest.raises(psycopg2.errors.UndefinedTable):
        empty.migrator.query(empty.own_names(AS_MIGRATOR))
    assert empty.database.value("SELECT count(*) FROM pg_default_acl") == 0


# SQLite files from elsewhere.

HOSTILE = """
CREATE TABLE notes (id INTEGER PRIMARY KEY, body TEXT CHECK (load_extension('./evil') IS NULL));
CREATE TABLE victims (id INTEGER PRIMARY KEY, note_id INTEGER REFERENCES notes (id));
PRAGMA ignore_check_constraints = ON;
INSERT INTO notes VALUES (1, 'one');
INSERT INTO victims VALUES (1, 1);
CREATE TRIGGER strike AFTER INSERT ON victims BEGIN DELETE FROM notes; SELECT load_extension('./evil'); END;
CREATE VIEW _maxwell_ledger AS SELECT load_extension('./evil') AS log_id, 'apply' AS operation;
CREATE VIEW manuscripts AS SELECT load_extension('./evil') AS id, '{}' AS lexical_state;
CREATE VIEW scenes AS SELECT load_extension('./evil') AS id, 'x' AS manuscript_id, 'x' AS pov_character_id;
CREATE TRIGGER instead INSTEAD OF INSERT ON scenes BEGIN DELETE FROM notes; END;
"""
HOSTILE_MARKS = {
    "no marks": "",
    "marks as a view": "CREATE VIEW _yoyo_migration AS SELECT load_extension('./evil') AS migration_id;",
    "marks that are none": "CREATE TABLE _yoyo_migration (id INTEGER PRIMARY KEY);",
}


@pytest.mark.parametrize("hostile_marks", HOSTILE_MARKS)
@pytest.mark.parametrize("journal", ["delete", "wal"])
def test_a_hostile_sqlite_file_is_only_read(tmp_path: Path, journal: str, hostile_marks: str) -> None:
    path = tmp_path / "hostile.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute(f"PRAGMA journal_mode = {journal}")
        connection.executescript(HOSTILE + HOSTILE_MARKS[hostile_marks])
    database = sqlite_database(path)
    before = path.read_bytes()
    for command in ("status", "verify", "history"):
        result = maxwell_db(command, database=database, cwd=tmp_path)
        assert "Traceback" not in result.stderr and result.exit_code in (0, 1, 4), result
        assert path.read_bytes() == before, command
        assert [each.name for each in tmp_path.iterdir()] == ["hostile.db"], command
    assert database.query("SELECT id FROM notes") == [(1,)]
    assert database.query("SELECT id, note_id FROM victims") == [(1, 1)]


@pytest.mark.parametrize("command", ["status", "verify", "history"])
def test_a_command_that_only_looks_cannot_write_to_sqlite(
    tmp_path: Path, command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each connection that the command opens is asked to write, and SQLite refuses."""
    path = tmp_path / "looked_at.db"
    database = sqlite_database(path)
    assert maxwell_db("apply", database=database).exit_code == 0
    connect = sqlite3.connect
    asked: list[str] = []

    class Asked(sqlite3.Connection):
        def close(self) -> None:
            for statement in (
                "CREATE TABLE more (id INTEGER)",
                "DELETE FROM manuscripts",
                "SELECT load_extension('x')",
            ):
                with pytest.raises(sqlite3.OperationalError, match=r"readonly|not authorized|no such function"):
                    self.execute(statement)
                asked.append(statement)
            super().close()

    def open_asked(*arguments: Any, **options: Any) -> sqlite3.Connection:
        return connect(*arguments, **options, factory=Asked)

    monkeypatch.setattr(sqlite3, "connect", open_asked)
    before = path.read_bytes()
    assert maxwell_db(command, database=database).exit_code == 0
    assert asked, "a connection was opened"
    assert path.read_bytes() == before
