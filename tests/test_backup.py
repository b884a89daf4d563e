"""What a backup is, which ones there are, which go, and what a restore refuses."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from runner import __version__
from runner.backup.manifest import Manifest
from runner.backup.store import Backup
from runner.dialects.postgres_programs import find, find_exactly
from runner.operations.backups import old
from tests.support.databases import Database, rows_of, sqlite_database
from tests.support.migrations import AUTHOR, BOOK, PRICE, Folder
from tests.support.tool import maxwell_db


def listed(books: Folder, database: Database, folder: Path, *more: str) -> list[dict[str, Any]]:
    answer = books.run("--json", "backups", "--backup-dir", str(folder), *more, database=database).json()
    backups: list[dict[str, Any]] = answer["backups"]
    return backups


# What is in it.


def test_the_manifest_says_what_is_in_the_backup(books: Folder, filled: Database, tmp_path: Path) -> None:
    file = tmp_path / "one.backup"
    answer = books.run("--json", "backup", str(file), database=filled).json()
    manifest = json.loads(file.with_name("one.backup.json").read_text())
    assert answer["manifest"] == {key: value for key, value in manifest.items() if key != "seal"}
    assert manifest["dialect"] == filled.dialect and manifest["tool_version"] == __version__
    assert manifest["applied"] == [AUTHOR, BOOK, PRICE] and manifest["version"] == "0.3.0"
    assert manifest["size"] == file.stat().st_size
    assert (manifest["rows"]["author"], manifest["rows"]["book"]) == (2, 2)
    assert manifest["server_version"].startswith("SQLite 3" if filled.dialect == "sqlite" else "PostgreSQL 1")


def test_yoyo_s_lock_row_is_in_no_backup(books: Folder, filled: Database, tmp_path: Path) -> None:
    """Also the one of a run that is under way, or died; in either of SQLite's journal modes."""
    filled.script("INSERT INTO yoyo_lock (locked, ctime, pid) VALUES (1, '2020-01-01 00:00:00', 999999)")
    modes = ["wal", "delete"] if filled.dialect == "sqlite" else ["-"]
    for mode in modes:
        if filled.dialect == "sqlite":
            filled.query(f"PRAGMA journal_mode = {mode}")
        file = tmp_path / f"{mode}.backup"
        books.run("backup", str(file), database=filled)
        assert "yoyo_lock" not in json.loads(Path(f"{file}.json").read_text())["rows"]
        if filled.dialect == "sqlite":
            assert sqlite_database(file).query("SELECT * FROM yoyo_lock") == []
            assert sqlite_database(file).value("PRAGMA journal_mode") == "delete"  # nothing is made beside it
    assert filled.value("SELECT count(*) FROM yoyo_lock") == 1
    books.run("restore", str(file), "--yes", database=filled)
    assert filled.query("SELECT * FROM yoyo_lock") == []


def test_a_damaged_database_has_no_backup(books: Folder, tmp_path: Path) -> None:
    database = sqlite_database(tmp_path / "sick.db")
    books.run("apply", database=database)
    assert database.path is not None
    page = database.value("SELECT rootpage FROM sqlite_master WHERE name = 'book_author'")
    with database.path.open("r+b") as file:
        file.seek((page - 1) * database.value("PRAGMA page_size"))
        file.write(os.urandom(200))
    error = books.error("backup", str(tmp_path / "one.backup"), database=database, expect=7)
    assert error["code"] == "DATABASE_DAMAGED"
    assert list(tmp_path.glob("one.backup*")) == []


@pytest.mark.postgres
def test_no_program_is_shown_the_password(
    books: Folder, make_database: Callable[[str], Database], tmp_path: Path
) -> None:
    """It is neither in a child's arguments nor in its environment, neither in the manifest nor in what is said."""
    database = make_database("postgres")
    books.run("apply", database=database)
    real = find("pg_dump", int(database.value("SHOW server_version_num")))
    spies = tmp_path / "spies"
    spies.mkdir()
    for program in (real, find_exactly("pg_restore", real)):
        spy = spies / program.path.name
        spy.write_text(
            f'#!/bin/sh\n{{ echo "$0" "$@"; env; [ -n "$PGPASSFILE" ] && ls -l "$PGPASSFILE"; }} >> "{tmp_path}/seen"\n'
            f'exec "{program.path}" "$@"\n'
        )
        spy.chmod(0o755)
    secret = "s3cr:et/x"
    user, _, host = database.url.removeprefix("postgresql://").partition("@")
    url = f"postgresql://{user.partition(':')[0]}:s3cr%3Aet%2Fx@{host}"
    file = tmp_path / "one.dump"
    for command in (["backup", str(file)], ["restore", str(file), "--yes"]):
        result = maxwell_db(
            *command, "--pg-bin", str(spies), sql=books.path, env={"DATABASE_URL": url, "PGPASSWORD": secret}
        )
        assert result.exit_code == 0, result
        assert "s3cr" not in result.stdout + result.stderr
    seen = (tmp_path / "seen").read_text()
    assert "pg_dump" in seen and "pg_restore" in seen
    assert "s3cr" not in seen
    assert seen.count("-rw-------") >= 2, "the passfile is not private"
    assert "s3cr" not in Path(f"{file}.json").read_text()


# What a restore refuses.


def test_a_backup_of_something_else_is_refused_unless_that_is_meant(
    books: Folder, filled: Database, make_database: Callable[[str], Database], tmp_path: Path
) -> None:
    file = tmp_path / "one.backup"
    books.run("backup", str(file), database=filled)
    other = make_database("postgres" if filled.dialect == "postgres" else "sqlite")
    books.run("apply", AUTHOR, database=other)
    before = rows_of(other, ["author", "_yoyo_log"])
    command = ["restore", str(file), "--yes"]
    assert books.error(*command, database=other, expect=7)["code"] == "OTHER_DATABASE"
    assert rows_of(other, ["author", "_yoyo_log"]) == before
    books.run(*command, "--other-database", database=other)
    assert other.value("SELECT count(*) FROM book") == 2
    alien = sqlite_database(tmp_path / "alien.db")
    if filled.dialect == "postgres":
        books.run("apply", AUTHOR, database=alien)
        assert books.error(*command, database=alien, expect=7)["code"] == "OTHER_DIALECT"


def test_what_the_files_do_not_know_is_refused_unless_that_is_meant(
    books: Folder, filled: Database, tmp_path: Path
) -> None:
    """A backup, and a database, of a later version than the files: the wrong checkout is more likely than a wish."""
    new, old_file = tmp_path / "new.backup", tmp_path / "old.backup"
    books.run("backup", str(new), database=filled)
    books.run("rollback", BOOK, "--yes", database=filled)
    books.run("backup", str(old_file), database=filled)
    for path in books.path.glob(f"{PRICE}*"):
        path.rename(tmp_path / path.name)
    command = ["restore", str(new), "--yes"]
    assert PRICE in books.error(*command, database=filled, expect=7)["message"]
    books.run(*command, "--allow-newer", database=filled)
    error = books.error("restore", str(old_file), "--yes", database=filled, expect=7)
    assert error["code"] == "NEWER_THAN_FILES" and "the database has" in error["message"]
    books.run("restore", str(old_file), "--yes", "--allow-newer", database=filled)


def test_a_lost_sqlite_file_is_made_from_a_backup_when_told(books: Folder, tmp_path: Path) -> None:
    database = sqlite_database(tmp_path / "lost.db")
    books.run("apply", database=database)
    assert database.path is not None
    database.query("PRAGMA journal_mode = WAL")
    file = tmp_path / "one.backup"
    books.run("backup", str(file), database=database)
    for path in tmp_path.glob("lost.db*"):
        path.unlink()
    assert books.error("restore", str(file), "--yes", database=database, expect=2)["code"] == "NO_SUCH_DATABASE"
    assert not database.path.exists()
    books.run("restore", str(file), "--yes", "--create", database=database)
    assert database.value("SELECT count(*) FROM author") == 2
    assert database.value("PRAGMA journal_mode") == "wal"


def test_a_restore_keeps_the_mark_of_protection(books: Folder, filled: Database, tmp_path: Path) -> None:
    file = tmp_path / "one.backup"
    books.run("backup", str(file), database=filled)
    books.run("protect", database=filled)
    assert books.error("restore", str(file), "--yes", database=filled, expect=2)["code"] == "NOT_CONFIRMED"
    name = filled.path.name if filled.path else filled.value("SELECT current_database()")
    books.run("restore", str(file), "--confirm", name, database=filled)
    assert books.run("--json", "protect", database=filled).json()["changed"] is False


@pytest.mark.postgres
def test_what_a_dump_leaves_out_of_a_database_is_taken_over(
    books: Folder, make_database: Callable[[str], Database], tmp_path: Path
) -> None:
    """Who may connect, settings, the limit of connections, the comment: they are the server's, not the dump's."""
    database = make_database("postgres")
    books.run("apply", database=database)
    name = database.value("SELECT current_database()")
    database.script(
        f"""
        ALTER DATABASE "{name}" SET work_mem = '8MB'; ALTER DATABASE "{name}" SET search_path = public, pg_catalog;
        ALTER DATABASE "{name}" CONNECTION LIMIT 77; COMMENT ON DATABASE "{name}" IS 'ours';
        REVOKE CONNECT ON DATABASE "{name}" FROM PUBLIC; GRANT CONNECT ON DATABASE "{name}" TO pg_monitor
        """
    )
    facts = (
        "SELECT datconnlimit, shobj_description(oid, 'pg_database'), (SELECT array_agg(a::text ORDER BY a::text)"
        " FROM unnest(datacl) AS a), (SELECT setconfig FROM pg_db_role_setting WHERE setdatabase = d.oid),"
        " datcollate, encoding, datdba FROM pg_database AS d WHERE datname = current_database()"
    )
    before = database.query(facts)
    file = tmp_path / "one.dump"
    books.run("backup", str(file), database=database)
    oid = database.value("SELECT oid FROM pg_database WHERE datname = current_database()")
    books.run("restore", str(file), "--yes", database=database)
    assert database.query(facts) == before
    assert database.value("SELECT oid FROM pg_database WHERE datname = current_database()") != oid, "no swap"


# Which there are, and which go.


def test_partial_files_of_dead_runs_go_and_those_of_live_ones_stay(
    books: Folder, filled: Database, tmp_path: Path
) -> None:
    folder = tmp_path / "kept"
    books.run("backup", "--backup-dir", str(folder), database=filled)
    (good,) = listed(books, filled, folder)
    dead, live = (Path(good["file"]).with_name(f"{Path(good['file']).name}{n}.partial") for n in (1, 2))
    for path in (dead, live):
        path.write_bytes(b"part")
    foreign = folder / "somebody-else.partial"
    foreign.touch()
    with live.open("r+b") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        books.run("backup", "--backup-dir", str(folder), database=filled)
        assert (dead.exists(), live.exists(), foreign.exists()) == (False, True, True)
        assert len(listed(books, filled, folder)) == 2


def test_a_tested_backup_is_restored_elsewhere_and_recorded(books: Folder, filled: Database, tmp_path: Path) -> None:
    folder = tmp_path / "kept"
    books.run("backup", "--backup-dir", str(folder), database=filled)
    assert listed(books, filled, folder)[0]["tested"] is None
    before = rows_of(filled, ["author", "book", "_yoyo_log"])
    answer = books.run("--json", "backups", "--test", "--backup-dir", str(folder), database=filled).json()
    (backup,) = answer["backups"]
    assert backup["tested"]["passed"] is True and answer["tests"][0]["verify"]["counts"]["book"] == 2
    assert rows_of(filled, ["author", "book", "_yoyo_log"]) == before
    assert stat.S_IMODE(Path(backup["file"] + ".tested").stat().st_mode) == 0o600


def test_a_broken_row_in_a_tested_backup_is_told_of(books: Folder, tmp_path: Path) -> None:
    database = sqlite_database(tmp_path / "orphans.db")
    books.run("apply", database=database)
    database.script("INSERT INTO book (id, author_id) VALUES (1, 99)")
    folder = tmp_path / "kept"
    books.run("backup", "--backup-dir", str(folder), database=database)
    answer = books.run("--json", "backups", "--test", "--backup-dir", str(folder), database=database, expect=4).json()
    assert answer["backups"][0]["tested"]["passed"] is True
    failed = [one["name"] for one in answer["tests"][0]["verify"]["checks"] if one["status"] == "failed"]
    assert any(name.startswith("orphan:book(author_id)") for name in failed)


def test_a_backup_of_another_database_is_not_listed(books: Folder, filled: Database, tmp_path: Path) -> None:
    folder = tmp_path / "kept"
    books.run("backup", "--backup-dir", str(folder), database=filled)
    other = sqlite_database(tmp_path / "other.db")
    books.run("apply", database=other)
    assert listed(books, other, folder) == []
    assert len(listed(books, filled, folder)) == 1


def test_pruning_keeps_the_newest_and_reads_it_first(books: Folder, filled: Database, tmp_path: Path) -> None:
    """Nothing goes before the newest is proven, byte for byte; then all but the newest N do."""
    folder = tmp_path / "kept"
    for _ in range(4):
        books.run("backup", "--backup-dir", str(folder), database=filled)
    newest, second, *_ = (Path(one["file"]) for one in listed(books, filled, folder))
    whole = newest.read_bytes()
    newest.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    prune = ["backups", "--keep", "2", "--backup-dir", str(folder)]
    assert books.error(*prune, "--yes", database=filled, expect=7)["code"] == "BACKUP_DAMAGED"
    assert len(listed(books, filled, folder)) == 4
    newest.write_bytes(whole)
    assert books.error(*prune, database=filled, expect=2)["code"] == "NOT_CONFIRMED"
    assert len(listed(books, filled, folder)) == 4
    assert {Path(one["file"]) for one in listed(books, filled, folder, "--keep", "2", "--yes")} == {newest, second}
    assert len(list(folder.iterdir())) == 4
    books.run("backups", "--keep-days", "0", "--yes", "--backup-dir", str(folder), database=filled)
    assert [Path(one["file"]) for one in listed(books, filled, folder)] == [newest]


def stored(age_days: float) -> Backup:
    from datetime import UTC, datetime, timedelta

    at = (datetime.now(UTC) - timedelta(days=age_days)).strftime("%Y-%m-%dT%H:%M:%SZ")
    manifest = Manifest("sqlite", "a.db", None, (), {}, 0, "", at, __version__, "SQLite")
    return Backup(Path(f"{age_days}.sqlite"), manifest)


@pytest.mark.parametrize(
    ("keep", "keep_days", "going"),
    [
        (1, None, [3.0, 10.0, 40.0]),
        (3, None, [40.0]),
        (9, None, []),
        (None, 7.0, [10.0, 40.0]),
        (None, 0.0, [3.0, 10.0, 40.0]),
        (3, 7.0, [40.0]),
        (1, 30.0, [40.0]),
    ],
)
def test_a_backup_stays_if_either_rule_keeps_it_and_the_newest_always(
    keep: int | None, keep_days: float | None, going: list[float]
) -> None:
    backups = [stored(age) for age in (1.0, 3.0, 10.0, 40.0)]
    assert [float(one.file.stem) for one in old(backups, keep, keep_days)] == going


def test_a_backup_that_lost_bytes_is_listed_as_none(books: Folder, filled: Database, tmp_path: Path) -> None:
    folder = tmp_path / "kept"
    for _ in range(2):
        books.run("backup", "--backup-dir", str(folder), database=filled)
    newest, other = (Path(one["file"]) for one in listed(books, filled, folder))
    os.truncate(newest, newest.stat().st_size // 2)
    shutil.copy(other, folder / "copied-without-its-manifest.sqlite")
    found = listed(books, filled, folder)
    assert [one["problem"] is None for one in found] == [False, True]
    text = books.run("backups", "--backup-dir", str(folder), database=filled).stdout
    assert "NO BACKUP" in text and "copied-without" not in text
    answer = books.run("--json", "backups", "--test", "--backup-dir", str(folder), database=filled).json()
    assert answer["tests"][0]["file"] == str(other)
