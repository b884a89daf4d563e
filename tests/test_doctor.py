"""``doctor``: what is planted is found, with a cure that cures; nothing is written; one illness hides no other."""

from __future__ import annotations

import ast
import fcntl
import json
import os
import re
import shutil
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import psycopg2
import pytest

from runner.doctor import PROBES, clock, disk, foreign_keys, privileges_sqlite, sessions, settings, tables
from runner.doctor.privileges_postgres import Role, judge_role
from runner.doctor.settings import judge_collation
from runner.doctor.vacuum import judge_age
from runner.doctor.versions import judge_server
from runner.domain.finding import Severity
from runner.domain.state import State
from runner.identity import user_and_host
from runner.operations import doctor as operation
from tests.support.databases import Database, run_as_admin
from tests.support.migrations import AUTHOR, BOOK, PRICE, Folder, library
from tests.support.tool import MAXWELL, ROOT, Result, maxwell_db, yoyo

MakeDatabase = Callable[[str], Database]
Findings = dict[str, list[dict[str, Any]]]

KEYS = ["id", "severity", "subject", "message", "cure", "cure_kind", "data"]


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    """The three migrations of a library."""
    return library(tmp_path)


def examined(
    database: Database, sql: Path = MAXWELL, *arguments: str, expect: int = 0, cwd: Path | None = None
) -> Findings:
    """The findings by id; the answer as a whole is as the manual says."""
    result = maxwell_db("--json", "doctor", *arguments, database=database, sql=sql, cwd=cwd)
    assert result.exit_code == expect, result.stdout + result.stderr
    answer = result.json()
    assert answer["ok"] is (expect == 0) and answer["counts"].keys() == {"error", "warn", "info", "ok"}
    found: Findings = {}
    for finding in answer["findings"]:
        assert list(finding) == KEYS
        assert finding["cure"] or finding["severity"] in ("ok", "info"), finding
        found.setdefault(finding["id"], []).append(finding)
    return found


def cured(database: Database, finding: dict[str, Any]) -> None:
    """Do what the cure says."""
    if finding["cure_kind"] == "command":
        subprocess.run(finding["cure"], shell=True, check=True, capture_output=True)
    elif finding["cure_kind"] == "sql":
        with database.connect() as connection, closing(connection.cursor()) as cursor:
            for statement in filter(str.strip, finding["cure"].split(";")):
                cursor.execute(statement)


# As a whole.


def test_a_sound_database_has_no_error_and_is_left_as_it_was(database: Database, tmp_path: Path) -> None:
    maxwell_db("apply", database=database)
    before = database.path.read_bytes() if database.path else None
    names = sorted(path.name for path in tmp_path.iterdir())
    found = examined(database, MAXWELL, cwd=tmp_path)
    assert not [one for some in found.values() for one in some if one["severity"] == "error"]
    assert {"client-versions", "settings", "lock", "finished", "version", "tables", "clock"} <= found.keys()
    assert sorted(path.name for path in tmp_path.iterdir()) == names
    assert database.path is None or database.path.read_bytes() == before


def test_the_screen_says_what_is_wrong_first_and_how_many(database: Database, folder: Folder) -> None:
    folder.run("apply", database=database)
    (folder.path / f"{PRICE}.sql").write_text(
        "-- What for.\n-- depends: 002_book\nALTER TABLE book ADD cost INTEGER;\n"
    )
    result = folder.run("doctor", database=database, expect=1)
    lines = result.stdout.splitlines()
    assert lines[2].startswith(f"error  changed: {PRICE} was edited")
    assert lines[3].strip().startswith("cure: $ maxwell-db repair --accept")
    assert lines[-1].startswith("1 error, ")
    assert "about" not in result.stdout and "author" in result.stdout
    quiet = folder.run("-q", "doctor", database=database, expect=1).stdout
    assert "ok     " not in quiet and "info " not in quiet and "changed" in quiet


def test_quiet_says_nothing_of_a_sound_database(make_database: MakeDatabase, folder: Folder) -> None:
    database = make_database("sqlite")
    folder.run("apply", database=database)
    assert folder.run("-q", "doctor", database=database).stdout == ""


def test_many_alike_are_cut_short_unless_all_are_asked_for(make_database: MakeDatabase) -> None:
    database = make_database("sqlite")
    maxwell_db("apply", database=database)
    short, long = (maxwell_db(*more, "doctor", database=database).stdout for more in ((), ("-v",)))
    assert short.count("unindexed-foreign-key:") == 3 and "10 more of unindexed-foreign-key" in short
    assert long.count("unindexed-foreign-key:") == 13 and "more of" not in long


def test_only_runs_what_it_names(database: Database, folder: Folder) -> None:
    folder.run("apply", database=database)
    assert examined(database, folder.path, "--only", "clock", "--only", "unfinished").keys() == {"clock", "finished"}
    error = folder.error("doctor", "--only", "nothing", database=database, expect=2)
    assert error["code"] == "UNKNOWN_PROBE" and "privileges" in error["hint"]


def test_a_missing_file_is_exit_2_and_stays_missing(make_database: MakeDatabase, folder: Folder) -> None:
    database = make_database("sqlite")
    assert database.path is not None
    assert folder.error("doctor", database=database, expect=2)["code"] == "NO_SUCH_DATABASE"
    assert not database.path.exists()


def test_strict_fails_for_a_warning(make_database: MakeDatabase, folder: Folder) -> None:
    database = make_database("sqlite")
    folder.run("apply", database=database)
    assert database.path is not None
    database.path.chmod(0o646)
    assert folder.run("doctor", database=database).exit_code == 0
    folder.run("doctor", "--strict", database=database, expect=1)


def test_a_refused_folder_of_migrations_is_a_finding_among_others(database: Database, folder: Folder) -> None:
    folder.run("apply", database=database)
    (folder.path / "x.py").write_text("")
    found = examined(database, folder.path, expect=1)
    assert "x.py" in found["migrations"][0]["message"] and found["tables"]


def test_it_takes_no_lock_and_waits_for_none(database: Database, folder: Folder) -> None:
    folder.run("apply", database=database)
    with run_at_work(database, folder):
        started = time.monotonic()
        (finding,) = examined(database, folder.path)["run-at-work"]
        assert time.monotonic() - started < 10
        assert "held by apply, pid" in finding["message"] or "held by maxwell-db apply, pid" in finding["message"]
    assert examined(database, folder.path)["lock"]


@contextmanager
def run_at_work(database: Database, folder: Folder) -> Iterator[None]:
    """The lock of a run of ours, held by a process of its own."""
    code = (
        "import sys\nfrom runner.backend import open_backend\nfrom runner.dialects import connect\n"
        "from runner.domain.url import parse_url\nurl = parse_url(sys.argv[1])\n"
        "with open_backend(url, connect(url, what='apply')).run_lock('apply'):\n    print('held', flush=True)\n"
        "    sys.stdin.read()\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code, database.url],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    assert process.stdout is not None and process.stdin is not None
    assert process.stdout.readline() == "held\n"
    try:
        yield
    finally:
        process.stdin.close()
        process.wait(10)
        process.stdout.close()


def test_what_one_probe_may_not_read_keeps_no_other_from_looking(
    make_database: MakeDatabase, folder: Folder, role: Callable[[Database], str]
) -> None:
    database = make_database("postgres")
    folder.run("apply", database=database)
    weak = role(database)
    found = examined(replace(database, url=with_user(database.url, weak)), folder.path, expect=1)
    assert {"may-not-create", "may-not-record", "may-not-read-all", "migrations"} <= found.keys()
    assert {"not-owner", "not-looked-at"} <= found.keys()
    assert {"may-not-create-database", "may-not-see-others", "rows-unknown"} <= found.keys()
    assert {"settings", "objects", "tables"} <= found.keys()


# Tools and machine.


def test_versions_of_both_sides(database: Database, folder: Folder) -> None:
    folder.run("apply", database=database)
    found = examined(database, folder.path)
    versions = found["client-versions"][0]["data"]
    assert {"maxwell-db", "Python", "yoyo-migrations"} <= versions.keys()
    assert ("SQLite" if database.path else "libpq") in versions
    if database.dialect == "postgres":
        server = int(database.value("SHOW server_version_num"))
        assert found["server-version"][0]["data"]["version"] == server
        assert found["pg-dump"][0]["data"]["version"] // 10000 >= server // 10000


def test_a_server_that_gets_no_corrections_any_more() -> None:
    assert judge_server(130005, date(2025, 11, 13)).severity is Severity.OK
    old = judge_server(130005, date(2025, 11, 14))
    assert (old.id, old.severity) == ("server-version", Severity.WARN) and "13.5" in old.message
    assert judge_server(990000, date(2040, 1, 1)).severity is Severity.OK


def test_a_database_that_a_newer_tool_has_changed(database: Database, folder: Folder) -> None:
    folder.run("apply", database=database)
    database.script("UPDATE _maxwell_ledger SET tool_version = '99.1.0' WHERE migration_id = '001_author'")
    (finding,) = examined(database, folder.path)["newer-tool"]
    assert "99.1.0" in finding["message"] and "99.1.0" in finding["cure"]


def test_no_pg_dump_that_fits(make_database: MakeDatabase, folder: Folder, tmp_path: Path) -> None:
    database = make_database("postgres")
    folder.run("apply", database=database)
    empty = tmp_path / "bin"
    empty.mkdir()
    (finding,) = examined(database, folder.path, "--pg-bin", str(empty), expect=1)["pg-dump"]
    assert finding["severity"] == "error" and "--pg-bin" in finding["cure"]


def test_where_backups_go_by_default(make_database: MakeDatabase, tmp_path: Path) -> None:
    lite = make_database("sqlite")
    maxwell_db("apply", database=lite)
    assert lite.path is not None
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    assert examined(lite, MAXWELL, cwd=elsewhere)["backup-disk"][0]["data"]["folder"] == str(
        lite.path.parent / "backups"
    )
    (finding,) = examined(lite, MAXWELL, "--backup-dir", "there", cwd=elsewhere)["backup-disk"]
    (elsewhere / "yoyo.ini").write_text("[maxwell-db]\nbackup-dir = here\n")
    assert examined(lite, MAXWELL, cwd=elsewhere)["backup-disk"][0]["data"]["folder"] == "here"
    assert finding["data"]["folder"] == "there" and finding["data"]["needed_bytes"] == lite.path.stat().st_size


def test_a_disk_that_is_too_small(database: Database, folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    folder.run("apply", database=database)
    usage = shutil.disk_usage("/")._replace(free=17)
    monkeypatch.setattr(disk.shutil, "disk_usage", lambda path: usage)
    found = examined(database, folder.path, expect=1)
    assert found["backup-disk"][0]["severity"] == "error" and "17 bytes" in found["backup-disk"][0]["message"]
    assert (found["database-disk"][0]["severity"] == "warn") if database.path else "database-disk" not in found


def test_a_backup_folder_that_will_not_do(make_database: MakeDatabase, folder: Folder, tmp_path: Path) -> None:
    database = make_database("sqlite")
    folder.run("apply", database=database)
    (tmp_path / "file").touch()
    (tmp_path / "real").mkdir(mode=0o700)
    (tmp_path / "link").symlink_to(tmp_path / "real")
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(0o755)
    for name, code, severity in (("file", 1, "error"), ("link", 1, "error"), ("open", 0, "warn"), ("real", 0, "ok")):
        (finding,) = examined(
            database, folder.path, "--only", "disk", "--backup-dir", str(tmp_path / name), expect=code
        )["backup-folder"]
        assert finding["severity"] == severity, name
    (finding,) = examined(database, folder.path, "--only", "disk", "--backup-dir", str(tmp_path / "open"))[
        "backup-folder"
    ]
    cured(database, finding)
    assert (tmp_path / "open").stat().st_mode & 0o777 == 0o700


def test_backups_that_there_are(database: Database, folder: Folder, tmp_path: Path) -> None:
    folder.run("apply", database=database)
    place = ("--backup-dir", str(tmp_path / "kept"))
    assert "no-backup" in examined(database, folder.path, *place)
    made = folder.run("--json", "backup", *place, database=database).json()
    assert "never" in examined(database, folder.path, *place)["backup"][0]["message"]
    folder.run("backups", "--test", *place, database=database)
    (finding,) = examined(database, folder.path, *place)["backup"]
    assert finding["severity"] == "ok" and finding["data"]["tested"] is True
    file = Path(finding["data"]["file"])
    file.write_bytes(file.read_bytes()[:-1])
    found = examined(database, folder.path, *place)
    assert found["broken-backup"][0]["subject"] == str(file) and found["no-backup"] and made["ok"]


def test_files_that_cannot_be_written(
    make_database: MakeDatabase, folder: Folder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = make_database("sqlite")
    folder.run("apply", database=database)
    monkeypatch.setattr(privileges_sqlite.os, "access", lambda path, mode: not mode & os.W_OK)
    found = examined(database, folder.path, "--only", "privileges", "--only", "disk", expect=1)
    assert {"file-read-only", "folder-read-only", "backup-folder"} <= found.keys()


def test_a_file_that_everybody_can_write(make_database: MakeDatabase, folder: Folder) -> None:
    database = make_database("sqlite")
    folder.run("apply", database=database)
    assert database.path is not None
    database.path.chmod(0o666)
    (finding,) = examined(database, folder.path)["file-open-to-all"]
    cured(database, finding)
    assert "file-open-to-all" not in examined(database, folder.path)


# Settings.


def test_sqlite_settings(make_database: MakeDatabase, folder: Folder) -> None:
    database = make_database("sqlite")
    folder.run("apply", database=database)
    found = examined(database, folder.path)
    facts = found["settings"][0]["data"]
    assert (facts["journal_mode"], facts["synchronous"], facts["foreign_keys"]) == ("delete", "full", "off")
    assert found["foreign-keys-off"]
    cured(database, found["journal-mode"][0])
    found = examined(database, folder.path)
    assert found["settings"][0]["data"]["journal_mode"] == "wal" and "journal-mode" not in found


def test_free_pages_and_a_log_that_never_is_written_back(
    make_database: MakeDatabase, folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = make_database("sqlite")
    folder.run("apply", database=database)
    monkeypatch.setattr(settings, "_LARGE_LOG", 1000)
    monkeypatch.setattr(settings, "_FREE_BYTES", 1000)
    database.script("CREATE TABLE ballast AS WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i+1 FROM n LIMIT 3000)"
                    " SELECT i, hex(randomblob(100)) AS x FROM n")  # fmt: skip
    database.script("DROP TABLE ballast")
    with database.connect() as reader:
        reader.execute("PRAGMA journal_mode = WAL")
        reader.execute("PRAGMA wal_autocheckpoint = 0")
        for round in range(20):
            reader.execute(f"CREATE TABLE t{round} AS SELECT hex(randomblob(40000)) AS x")
        found = examined(database, folder.path)
    assert found["large-log"] and "wal_checkpoint" in found["large-log"][0]["cure"]
    database.script("".join(f"DROP TABLE t{round};" for round in range(20)))
    (finding,) = examined(database, folder.path)["free-pages"]
    cured(database, finding)
    assert "free-pages" not in examined(database, folder.path)


def test_a_file_without_bytes_is_told_of(make_database: MakeDatabase, folder: Folder) -> None:
    database = make_database("sqlite")
    assert database.path is not None
    database.path.touch()
    found = examined(database, folder.path)
    assert "restore" in found["empty-file"][0]["cure"] and "pending" in found
    assert database.path.stat().st_size == 0


def test_postgres_settings_that_endanger_the_data(make_database: MakeDatabase, folder: Folder) -> None:
    database = make_database("postgres")
    folder.run("apply", database=database)
    found = examined(database, folder.path)
    unsafe = {one["subject"] for one in found.get("unsafe-setting", [])}
    assert ("fsync" in unsafe) == (database.value("SHOW fsync") == "off")
    assert found["settings"][0]["data"]["server_encoding"] == "UTF8" and "database-encoding" not in found


def test_an_encoding_that_cannot_hold_every_text(pg_url: str, folder: Folder) -> None:
    name = f"latin_{os.getpid()}"
    run_as_admin(pg_url, f"CREATE DATABASE {name} ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0")
    try:
        parts = urlsplit(pg_url)
        url = urlunsplit((parts.scheme, parts.netloc, f"/{name}", parts.query, ""))
        (finding,) = examined(Database("postgres", url), folder.path, "--only", "settings")["database-encoding"]
        assert "LATIN1" in finding["message"]
    finally:
        run_as_admin(pg_url, f"DROP DATABASE {name}")


def test_sorting_rules_that_changed_under_the_indexes() -> None:
    assert list(judge_collation("maxwell", "2.31", "2.31")) == list(judge_collation("maxwell", None, None)) == []
    (finding,) = judge_collation('max"well', "2.31", "2.36")
    assert finding.severity is Severity.WARN and finding.cure is not None
    assert 'ALTER DATABASE "max""well" REFRESH COLLATION VERSION' in finding.cure.text


# Locks and standing.


def test_a_lock_file_that_a_killed_run_left_holds_nothing(make_database: MakeDatabase, folder: Folder) -> None:
    database = make_database("sqlite")
    folder.run("apply", database=database)
    dead = subprocess.Popen(["true"])
    dead.wait()
    user, host = user_and_host()
    entry = {"pid": dead.pid, "user": user, "host": host, "since": "2026-01-01T00:00:00Z", "what": "apply"}
    Path(f"{database.path}.maxwell-lock").write_text(json.dumps(entry))
    assert "lock" in examined(database, folder.path)
    entry["host"] = "another.example"
    Path(f"{database.path}.maxwell-lock").write_text(json.dumps(entry))
    (finding,) = examined(database, folder.path)["run-at-work"]
    assert "another.example" in finding["message"]
    with Path(f"{database.path}.maxwell-lock").open() as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)  # nobody took it for looking


def test_the_row_that_a_dead_yoyo_left(database: Database, folder: Folder) -> None:
    folder.run("apply", database=database)
    dead = subprocess.Popen(["true"])
    dead.wait()
    database.script(f"INSERT INTO yoyo_lock (locked, ctime, pid) VALUES (1, '2020-01-01 00:00:00', {dead.pid})")
    (finding,) = examined(database, folder.path, expect=1)["yoyo-lock-left"]
    assert finding["cure"] == "maxwell-db unlock"
    folder.run("unlock", database=database)
    assert "lock" in examined(database, folder.path)


def test_the_row_of_a_yoyo_that_may_be_at_work(database: Database, folder: Folder) -> None:
    folder.run("apply", database=database)
    with database.connect():
        now = (datetime.now(UTC) + timedelta(seconds=1)).replace(tzinfo=None)
        database.script(f"INSERT INTO yoyo_lock (locked, ctime, pid) VALUES (1, '{now}', {os.getpid()})")
        (finding,) = examined(database, folder.path)["yoyo-at-work"]
    assert finding["severity"] == "warn"


def test_pending_and_what_does_not_fit(database: Database, folder: Folder) -> None:
    folder.run("apply", BOOK, database=database)
    (finding,) = examined(database, folder.path)["pending"]
    assert finding["data"]["ids"] == [PRICE] and finding["severity"] == "info"
    folder.run("apply", database=database)
    assert examined(database, folder.path)["version"][0]["data"]["version"] == "0.3.0"
    folder.add(
        BOOK, "CREATE TABLE tome (id INTEGER);\n", "DROP TABLE tome;\n", depends=AUTHOR, version="0.2.0", revision="two"
    )
    folder.add("002_late", "CREATE TABLE late (id INTEGER);\n", depends=BOOK)
    for suffix in (".sql", ".rollback.sql"):
        (folder.path / f"{PRICE}{suffix}").unlink()
    author = folder.path / f"{AUTHOR}.sql"
    author.write_text(author.read_text().replace("-- What", "-- Of what"))
    found = examined(database, folder.path, expect=1)
    assert [one["subject"] for one in found["changed"]] == [BOOK]
    assert [one["subject"] for one in found["missing"]] == [PRICE]
    assert found["cosmetic"][0]["data"]["ids"] == [AUTHOR]


def test_a_migration_that_comes_late(database: Database, folder: Folder) -> None:
    folder.run("apply", database=database)
    folder.add("002_a", "CREATE TABLE late (id INTEGER);\n", depends=AUTHOR)
    (finding,) = examined(database, folder.path, expect=1)["out-of-order"]
    assert finding["subject"] == "002_a"


def test_an_unfinished_migration(make_database: MakeDatabase, folder: Folder) -> None:
    database = make_database("postgres")
    folder.run("apply", database=database)
    folder.add(
        "004_index",
        "CREATE UNIQUE INDEX CONCURRENTLY author_twice ON book (author_id);\n",
        "DROP INDEX CONCURRENTLY author_twice;\n",
        depends=PRICE,
        transactional="false",
    )
    database.script("INSERT INTO book VALUES (1, 1), (2, 1)")
    database.script(
        "INSERT INTO _maxwell_ledger (log_id, operation, migration_id, at_utc, apply_sql)"
        " VALUES ('x', 'unfinished', '004_index', now() AT TIME ZONE 'UTC',"
        " 'CREATE UNIQUE INDEX CONCURRENTLY author_twice ON book (author_id)')"
    )
    (finding,) = examined(database, folder.path, expect=1)["unfinished"]
    assert (finding["subject"], finding["cure"]) == ("004_index", "maxwell-db repair")
    folder.run("repair", database=database)
    assert "finished" in examined(database, folder.path)


def test_tables_without_a_record(database: Database, folder: Folder) -> None:
    database.script("CREATE TABLE author (id INTEGER)")
    (finding,) = examined(database, folder.path)["unmanaged"]
    assert "stamp" in finding["cure"]
    database.script("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL)")
    (finding,) = examined(database, folder.path)["unmanaged"]
    assert finding["cure"] == "maxwell-db adopt"


def test_clocks(database: Database, folder: Folder) -> None:
    folder.run("apply", database=database)
    assert examined(database, folder.path)["clock"][0]["severity"] == "ok"
    database.script(
        "UPDATE _yoyo_migration SET applied_at_utc = '2999-01-01 00:00:00' WHERE migration_id = '003_price'"
    )
    (finding,) = examined(database, folder.path)["clock-behind-marks"]
    assert finding["severity"] == "warn" and "2999-01-01" in finding["message"]


def test_a_server_whose_clock_differs() -> None:
    assert clock.judge_server_clock(100.0, 103.0, 104.0).severity is Severity.OK
    behind, ahead = clock.judge_server_clock(100.0, 190.0, 101.0), clock.judge_server_clock(100.0, 10.0, 101.0)
    assert behind.id == "server-clock" and "89 s behind" in behind.message and "90 s ahead" in ahead.message


# PostgreSQL's own.


@pytest.fixture
def role(request: pytest.FixtureRequest) -> Iterator[Callable[[Database], str]]:
    """A function that makes a role which may only connect."""
    made: list[tuple[Database, str]] = []

    def make(database: Database) -> str:
        name = f"weak_{os.getpid()}"
        database.script(f'CREATE ROLE "{name}" LOGIN')
        made.append((database, name))
        return name

    yield make
    for database, name in made:
        database.script(f'DROP OWNED BY "{name}"; DROP ROLE "{name}"')


def with_user(url: str, user: str) -> str:
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit((parts.scheme, f"{user}@{host}", parts.path, parts.query, ""))


def test_the_cures_for_a_role_s_want_of_rights_give_it_what_it_needs(
    make_database: MakeDatabase, folder: Folder, role: Callable[[Database], str]
) -> None:
    database = make_database("postgres")
    folder.run("apply", database=database)
    database.script(
        "CREATE SCHEMA other; CREATE TABLE other.secret (id SERIAL); ALTER TABLE author ENABLE ROW LEVEL SECURITY"
    )
    weak = role(database)
    database.script(f"GRANT SELECT ON author TO {weak}; ALTER ROLE {weak} SET default_transaction_read_only = on")
    as_weak = replace(database, url=with_user(database.url, weak))
    found = examined(as_weak, folder.path, "--only", "privileges", expect=1)
    assert "other.secret" in found["may-not-read-all"][0]["data"]["tables"]
    assert found["rows-hidden"][0]["data"]["tables"] == ["author"] and found["read-only-session"]
    for finding in (one for some in found.values() for one in some if one["cure"]):
        cured(database, finding)
    found = examined(as_weak, folder.path, "--only", "privileges")
    assert found.keys() == {"may-create", "owner", "may-read-all"}
    # And it is enough.
    result = maxwell_db("rollback", "base", "--yes", database=as_weak, sql=folder.path)
    assert result.exit_code == 0, result.stderr
    database.script("DROP SCHEMA other CASCADE")


def test_a_standby_and_a_search_path_to_nowhere() -> None:
    role = Role("maren", False, True, True, None, False, True, False, "maxwell")
    assert [one.id for one in judge_role(role)] == ["standby", "no-schema"]


def test_dead_rows_and_a_table_that_never_was_analyzed(make_database: MakeDatabase, folder: Folder) -> None:
    database = make_database("postgres")
    folder.run("apply", database=database)
    with database.connect() as connection, closing(connection.cursor()) as cursor:
        cursor.execute("ALTER TABLE book SET (autovacuum_enabled = false)")
        cursor.execute("INSERT INTO book (id, author_id) SELECT n, 1 FROM generate_series(1, 30000) AS n")
        cursor.execute("DELETE FROM book WHERE id > 3000")
    deadline = time.monotonic() + 20  # the counters arrive when the session has ended
    while "dead-rows" not in (found := examined(database, folder.path, "--only", "vacuum")):
        assert time.monotonic() < deadline
        time.sleep(0.2)
    assert found["dead-rows"][0]["subject"] == found["never-analyzed"][0]["subject"] == "book"
    cured(database, found["autovacuum-off"][0])
    cured(database, found["dead-rows"][0])
    while (left := examined(database, folder.path, "--only", "vacuum").keys()) != {"vacuum", "wraparound"}:
        assert time.monotonic() < deadline, left
        time.sleep(0.2)


def test_transaction_ids_that_run_out() -> None:
    assert judge_age(150_000_000, 200_000_000, "a.b").severity is Severity.OK
    assert judge_age(500_000_000, 200_000_000, "a.b").severity is Severity.WARN
    last = judge_age(2_146_000_000, 200_000_000, "a.b")
    assert last.severity is Severity.ERROR and last.cure is not None and "a.b" in last.cure.text


def test_an_index_that_is_built_and_one_that_stayed_invalid(make_database: MakeDatabase, folder: Folder) -> None:
    database = make_database("postgres")
    folder.run("apply", database=database)
    with database.connect() as other, database.connect() as builder, closing(other.cursor()) as cursor:
        cursor.execute("BEGIN; INSERT INTO book (id, author_id) VALUES (1, 1)")

        def build() -> None:
            with suppress(psycopg2.Error), closing(builder.cursor()) as slow:
                slow.execute("CREATE INDEX CONCURRENTLY book_price ON book (price)")

        thread = threading.Thread(target=build)
        thread.start()
        deadline = time.monotonic() + 20
        while "index-building" not in (found := examined(database, folder.path, "--only", "objects")):
            assert time.monotonic() < deadline, found
        builder.cancel()
        thread.join(20)
        cursor.execute("COMMIT")
    (finding,) = examined(database, folder.path)["invalid-index"]
    assert finding["subject"] == "book_price"
    cured(database, finding)
    assert "objects" in examined(database, folder.path)


def test_a_constraint_that_old_rows_were_not_held_against(make_database: MakeDatabase, folder: Folder) -> None:
    database = make_database("postgres")
    folder.run("apply", database=database)
    database.script("ALTER TABLE book ADD CONSTRAINT cheap CHECK (price < 100) NOT VALID")
    (finding,) = examined(database, folder.path)["unvalidated-constraint"]
    cured(database, finding)
    assert "objects" in examined(database, folder.path)


def test_a_transaction_that_is_open_for_long(
    make_database: MakeDatabase, folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = make_database("postgres")
    folder.run("apply", database=database)
    monkeypatch.setattr(sessions, "LONG_SECONDS", 0)
    with database.connect() as connection, closing(connection.cursor()) as cursor:
        cursor.execute("BEGIN; SELECT 1 FROM book")
        (finding,) = examined(database, folder.path)["long-transaction"]
        cured(database, finding)
        with pytest.raises(psycopg2.Error):
            cursor.execute("SELECT 1")
    assert "transactions" in examined(database, folder.path)


# Tables and foreign keys.


def test_rows_and_sizes_of_every_table(database: Database, folder: Folder) -> None:
    folder.run("apply", database=database)
    database.script("INSERT INTO book (id, author_id) VALUES (1, 1), (2, 1), (3, 2)")
    answer = maxwell_db("--json", "doctor", database=database, sql=folder.path).json()
    rows = {table["name"]: (table["rows"], table["exact"]) for table in answer["tables"]}
    assert rows == {"author": (2, True), "book": (3, True)}
    assert all(table["bytes"] > 0 for table in answer["tables"])


def test_large_tables_are_estimated_unless_every_row_is_to_be_counted(
    database: Database, folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder.run("apply", database=database)
    database.script("INSERT INTO book (id, author_id) VALUES (1, 1), (2, 1), (7, 2); ANALYZE")
    monkeypatch.setattr(tables, "COUNTED_BYTES", -1)
    guessed, counted = (
        {
            table["name"]: (table["rows"], table["exact"])
            for table in maxwell_db("--json", "doctor", *more, database=database, sql=folder.path).json()["tables"]
        }
        for more in ((), ("--exact",))
    )
    assert guessed == {"author": (2, False), "book": (3, False)}
    assert counted == {"author": (2, True), "book": (3, True)}
    assert "about 3 rows" in folder.run("doctor", database=database).stdout


def test_a_large_sqlite_table_without_statistics(
    make_database: MakeDatabase, folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = make_database("sqlite")
    folder.run("apply", database=database)
    database.script(
        "INSERT INTO book (id, author_id) VALUES (1, 1), (7, 2);"
        " CREATE TABLE word (word TEXT NOT NULL PRIMARY KEY) WITHOUT ROWID"
    )
    monkeypatch.setattr(tables, "COUNTED_BYTES", 0)
    answer = maxwell_db("--json", "doctor", database=database, sql=folder.path).json()
    assert {table["name"]: table["rows"] for table in answer["tables"]} == {"author": 2, "book": 7, "word": None}
    assert [one["data"]["tables"] for one in answer["findings"] if one["id"] == "rows-unknown"] == [["word"]]


KEYED = """
CREATE TABLE parent (a INTEGER NOT NULL, b INTEGER NOT NULL, PRIMARY KEY (a, b));
CREATE TABLE owner (id INTEGER NOT NULL PRIMARY KEY);
CREATE TABLE child (
    id INTEGER NOT NULL PRIMARY KEY REFERENCES owner (id),
    bare INTEGER REFERENCES owner (id),
    second INTEGER REFERENCES owner (id),
    covered INTEGER REFERENCES owner (id),
    sparse INTEGER REFERENCES owner (id),
    a INTEGER, b INTEGER, c INTEGER, d INTEGER,
    FOREIGN KEY (a, b) REFERENCES parent (a, b),
    FOREIGN KEY (c, d) REFERENCES parent (a, b)
);
CREATE INDEX leads_elsewhere ON child (covered, second);
CREATE INDEX of_some ON child (bare) WHERE id > 7;
CREATE INDEX but_nulls ON child (sparse) WHERE sparse IS NOT NULL;
CREATE INDEX other_way_round ON child (b, a, second);
CREATE TABLE "Odd ""name" ("the owner" INTEGER REFERENCES owner (id));
CREATE TABLE idx_child_bare (id INTEGER);
"""


def test_foreign_keys_without_an_index_and_the_index_that_they_want(database: Database, folder: Folder) -> None:
    folder.run("apply", database=database)
    database.script(KEYED)
    found = examined(database, folder.path)["unindexed-foreign-key"]
    assert {(one["data"]["table"], *one["data"]["columns"]) for one in found} == {
        ("child", "bare"),
        ("child", "second"),
        ("child", "c", "d"),
        ('Odd "name', "the owner"),
    }
    assert ("CONCURRENTLY" in found[0]["cure"]) == (database.dialect == "postgres")
    for finding in found:
        assert finding["severity"] == "info"
        cured(database, finding)
    assert "foreign-keys" in examined(database, folder.path)


def test_a_missing_index_on_a_large_table_is_a_warning(
    database: Database, folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder.run("apply", database=database)
    database.script("DROP INDEX book_author; INSERT INTO book (id, author_id) VALUES (1, 1), (2, 1), (3, 2)")
    if database.dialect == "postgres":
        database.script("ANALYZE book")
    monkeypatch.setattr(foreign_keys, "MANY_ROWS", 3)
    (finding,) = examined(database, folder.path)["unindexed-foreign-key"]
    assert finding["severity"] == "warn" and finding["subject"] == "book (author_id)"


def test_a_database_that_plain_yoyo_made(database: Database, folder: Folder, tmp_path: Path) -> None:
    assert yoyo("apply", database=database, sources=folder.path, cwd=tmp_path).exit_code == 0
    assert examined(database, folder.path)["version"][0]["data"]["version"] == "0.3.0"


def test_a_damaged_file_is_called_damaged(make_database: MakeDatabase, folder: Folder) -> None:
    database = make_database("sqlite")
    folder.run("apply", database=database)
    assert database.path is not None
    pages = database.query("SELECT rootpage FROM sqlite_master WHERE tbl_name = 'book'")
    with database.path.open("r+b") as file:
        for (page,) in pages:
            file.seek((page - 1) * 4096)
            file.write(b"x" * 4096)
    found = examined(database, folder.path, expect=1)
    assert all("restore" in one["cure"] for one in found["damaged"])
    assert found["version"] and found["settings"]


def test_a_half_done_write_beside_the_file_is_named_and_left_alone(tmp_path: Path, folder: Folder) -> None:
    path = tmp_path / "hot.db"
    code = (
        "import os, sqlite3, sys\nc = sqlite3.connect(sys.argv[1], isolation_level=None)\n"
        "c.execute('CREATE TABLE t (x)'); c.execute('PRAGMA cache_size = 5'); c.execute('BEGIN')\n"
        "for i in range(3000): c.execute('INSERT INTO t VALUES (?)', ('x' * 500,))\nos.kill(os.getpid(), 9)\n"
    )
    subprocess.run([sys.executable, "-c", code, str(path)], check=False)
    journal = Path(f"{path}-journal")
    before = path.read_bytes(), journal.read_bytes()
    for command in ("doctor", "status"):
        result: Result = maxwell_db("--json", command, database=f"sqlite:///{path}", sql=folder.path)
        error = result.json()["error"]
        assert (result.exit_code, error["code"]) == (1, "HOT_JOURNAL")
    assert (path.read_bytes(), journal.read_bytes()) == before
    subprocess.run(error["hint"].partition(": ")[2].partition(". Never")[0], shell=True, check=True)
    assert not journal.exists()
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT count(*) FROM t").fetchone() == (0,)


def test_a_table_that_a_migration_holds_is_not_waited_for_long(make_database: MakeDatabase, folder: Folder) -> None:
    """What could not be read is said, and the rest is told."""
    database = make_database("postgres")
    folder.run("apply", database=database)
    with database.connect() as connection, closing(connection.cursor()) as cursor:
        cursor.execute("BEGIN; LOCK TABLE book IN ACCESS EXCLUSIVE MODE")
        started = time.monotonic()
        found = examined(database, folder.path)
        assert time.monotonic() - started < 5 * operation._LOCK_SECONDS
    assert "tables" in {one["subject"] for one in found["not-looked-at"]}
    assert found["version"] and found["backup-disk"]


def test_the_manual_has_the_findings_of_the_program_and_no_others() -> None:
    page = (ROOT / "docs" / "doctor.md").read_text()
    written = dict(re.findall(r"^\| `([\w-]+)` \| [\w, ]+ \| ([\w-]+) \|", page, re.MULTILINE))
    assert written.keys() == set(_ids())
    assert set(written.values()) - {"any"} == {probe.name for probe in PROBES}


def _ids() -> Iterator[str]:
    """What every finding of the probes is made with; those about a migration are called as its state is."""
    yield from (str(State.CHANGED), str(State.MISSING), str(State.OUT_OF_ORDER))
    for path in [*(ROOT / "runner" / "doctor").glob("*.py"), ROOT / "runner" / "operations" / "doctor.py"]:
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
                continue
            if node.func.id in ("Finding", "ok", "_unreadable") and isinstance(node.args[0], ast.Constant):
                yield str(node.args[0].value)
