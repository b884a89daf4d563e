"""Backup and restore: every row of table D of the faults (docs/reliability.md)."""

from __future__ import annotations

import os
import random
import shutil
import sqlite3
import stat
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import psycopg2
import pytest

from runner.domain.outcome import Observer
from runner.domain.url import parse_url
from runner.errors import BackupFailed
from runner.operations.project import Project
from runner.operations.restore import RestoreOptions, restore
from tests.support.databases import Database, rows_of, sqlite_database
from tests.support.maxwell_schema import raw_catalog
from tests.support.migrations import AUTHOR, BOOK, Folder, marks
from tests.support.tool import maxwell_db, yoyo

TABLES = ("author", "book", "_yoyo_migration", "_yoyo_log", "_maxwell_ledger")


def back_up(books: Folder, database: Database, file: Path) -> Path:
    books.run("backup", str(file), database=database)
    return file


def everything(database: Database) -> object:
    return raw_catalog(database), rows_of(database, TABLES)


@contextmanager
def writing(database: Database) -> Iterator[Callable[[], int]]:
    """Somebody adds an author and a book in one transaction, at full speed; tells how many are committed."""
    committed, failures = [0], []
    stop = threading.Event()

    def write() -> None:
        try:
            with database.connect() as connection, closing(connection.cursor()) as cursor:
                if database.dialect == "sqlite":
                    cursor.execute("PRAGMA busy_timeout = 60000")
                number = 1000
                while not stop.is_set():
                    cursor.execute("BEGIN IMMEDIATE" if database.dialect == "sqlite" else "BEGIN")
                    cursor.execute(f"INSERT INTO author (id, name) VALUES ({number}, 'author {number}')")
                    cursor.execute(f"INSERT INTO book (id, author_id) VALUES ({number}, {number})")
                    cursor.execute("COMMIT")
                    number += 1
                    committed[0] += 1
        except Exception as error:
            failures.append(error)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        yield lambda: committed[0]
    finally:
        stop.set()
        writer.join()
    assert failures == []


def counts(file: Path) -> tuple[int, int]:
    """Authors and books beyond the first ones, in a SQLite file."""
    with closing(sqlite3.connect(f"file:{file}?immutable=1", uri=True)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        return (
            connection.execute("SELECT count(*) FROM author WHERE id >= 1000").fetchone()[0],
            connection.execute("SELECT count(*) FROM book WHERE id >= 1000").fetchone()[0],
        )


def test_d01_rows_that_only_the_write_ahead_log_has_are_in_the_backup(books: Folder, tmp_path: Path) -> None:
    """Backups go through SQLite's backup API: rows that are in the write-ahead log alone are in them."""
    database = sqlite_database(tmp_path / "wal.db")
    books.run("apply", database=database)
    with database.connect() as application:
        application.execute("PRAGMA journal_mode = WAL")
        application.execute("PRAGMA wal_autocheckpoint = 0")
        application.executemany("INSERT INTO author VALUES (?, ?)", [(1000 + n, f"a{n}") for n in range(500)])
        assert Path(f"{database.path}-wal").stat().st_size > 0
        file = back_up(books, database, tmp_path / "one.sqlite")
        assert counts(file) == (500, 0)
        application.execute("DELETE FROM author WHERE id >= 1000")
        books.run("restore", str(file), "--yes", database=database)
        assert application.execute("SELECT count(*) FROM author WHERE id >= 1000").fetchone() == (500,)


@pytest.mark.parametrize(("mode", "backups"), [("wal", 50), ("delete", 3)])
def test_d02_every_backup_of_a_sqlite_database_at_work_is_one_moment(
    books: Folder, tmp_path: Path, mode: str, backups: int
) -> None:
    """A backup of a database that is written to at full speed is of one moment, and nothing is missing."""
    database = sqlite_database(tmp_path / "busy.db")
    books.run("apply", database=database)
    with database.connect() as connection:
        connection.execute(f"PRAGMA journal_mode = {mode}")
        connection.execute("PRAGMA synchronous = OFF")
    seen = []
    with writing(database) as committed:
        for number in range(backups):
            before = committed()
            file = back_up(books, database, tmp_path / f"{number}.sqlite")
            authors, written = counts(file)
            assert authors == written >= before
            seen.append(authors)
            file.unlink()
    assert seen == sorted(seen) and seen[-1] > seen[0], "nobody wrote meanwhile"


@pytest.mark.postgres
def test_d02_a_dump_of_a_database_at_work_is_one_moment(
    books: Folder, make_database: Callable[[str], Database], tmp_path: Path
) -> None:
    database = make_database("postgres")
    books.run("apply", database=database)
    with writing(database) as committed:
        before = committed()
        file = back_up(books, database, tmp_path / "busy.dump")
    books.run("restore", str(file), "--yes", "--disconnect", database=database)
    authors = database.value("SELECT count(*) FROM author WHERE id >= 1000")
    assert authors == database.value("SELECT count(*) FROM book WHERE id >= 1000") >= before


def test_d03_a_stale_write_ahead_log_is_no_part_of_what_is_restored(books: Folder, tmp_path: Path) -> None:
    """Restore goes through SQLite, which knows its own log: what a dead program left in a `-wal` does not come back."""
    database = sqlite_database(tmp_path / "stale.db")
    books.run("apply", database=database)
    file = back_up(books, database, tmp_path / "good.sqlite")
    with database.connect() as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA wal_autocheckpoint = 0")
        connection.execute("INSERT INTO author VALUES (1000, 'late')")
        for end in ("", "-wal"):  # as a killed program leaves them
            shutil.copy(f"{database.path}{end}", tmp_path / f"copy.db{end}")
    left = sqlite_database(tmp_path / "copy.db")
    books.run("restore", str(file), "--yes", "--other-database", database=left)
    assert left.query("SELECT count(*) FROM author") == [(2,)] and everything(left) == everything_in(file)


def test_d04_a_hot_journal_is_no_part_of_what_is_restored(books: Folder, tmp_path: Path) -> None:
    """A hot `-journal` is rolled back by SQLite before the restore, and plays no part afterwards."""
    database = sqlite_database(tmp_path / "hot.db")
    books.run("apply", database=database)
    file = back_up(books, database, tmp_path / "good.sqlite")
    with database.connect() as connection:
        connection.execute("PRAGMA cache_size = 1")
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany("INSERT INTO author VALUES (?, ?)", [(n, f"{n}" * 60) for n in range(1000, 4000)])
        for end in ("", "-journal"):  # as a killed program leaves them
            shutil.copy(f"{database.path}{end}", tmp_path / f"copy.db{end}")
        connection.execute("ROLLBACK")
    left = sqlite_database(tmp_path / "copy.db")
    assert Path(f"{left.path}-journal").exists()
    books.run("restore", str(file), "--yes", "--other-database", database=left)
    assert everything(left) == everything_in(file)
    assert left.query("PRAGMA integrity_check") == [("ok",)]


def everything_in(file: Path) -> object:
    return everything(sqlite_database(file))


@pytest.mark.parametrize("mode", ["wal", "delete"])
def test_d05_an_application_that_has_the_file_open_sees_the_restored_rows(
    books: Folder, tmp_path: Path, mode: str
) -> None:
    """An application that holds the file open reads the restored rows and goes on writing."""
    database = sqlite_database(tmp_path / "open.db")
    books.run("apply", database=database)
    with database.connect() as application:
        application.execute(f"PRAGMA journal_mode = {mode}")
        application.execute("INSERT INTO author VALUES (3, 'Iris')")
        file = back_up(books, database, tmp_path / "good.sqlite")
        inode = database.path.stat().st_ino  # type: ignore[union-attr]
        application.execute("DELETE FROM author")
        application.execute("CREATE TABLE later (x)")
        assert application.execute("SELECT count(*) FROM author").fetchone() == (0,)
        books.run("restore", str(file), "--yes", database=database)
        assert application.execute("SELECT name FROM author ORDER BY id").fetchall() == [
            ("Maren",), ("Anselm",), ("Iris",),
        ]  # fmt: skip
        application.execute("INSERT INTO author VALUES (4, 'Noor')")
        assert application.execute("PRAGMA journal_mode").fetchone() == (mode,)
        assert application.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert database.path.stat().st_ino == inode  # type: ignore[union-attr]
    assert database.query("SELECT count(*) FROM author") == [(4,)]
    assert "later" not in database.tables()


@pytest.mark.postgres
def test_d05_a_session_on_the_database_is_waited_for_or_ended(
    books: Folder, make_database: Callable[[str], Database], tmp_path: Path
) -> None:
    """PostgreSQL: a session on the database is waited for, or ended by --disconnect."""
    database = make_database("postgres")
    books.run("apply", database=database)
    file = back_up(books, database, tmp_path / "good.dump")
    database.script("INSERT INTO author VALUES (3, 'Iris')")
    before = everything(database)
    with database.connect() as application, closing(application.cursor()) as cursor:
        cursor.execute("SET application_name = 'the app'")
        error = books.error("restore", str(file), "--yes", "--lock-wait", "0.3", database=database, expect=5)
        assert error["code"] == "DATABASE_IN_USE" and "the app" in error["message"]
        assert everything(database) == before
        books.run("restore", str(file), "--yes", "--disconnect", database=database)
        with pytest.raises(psycopg2.OperationalError):
            cursor.execute("SELECT 1")
    assert database.value("SELECT count(*) FROM author") == 2
    assert leftovers(database) == []


def leftovers(database: Database) -> list[str]:
    """Databases that restores made and left."""
    return [
        name for (name,) in database.query("SELECT datname::text FROM pg_database WHERE datname LIKE '%.maxwell-%'")
    ]


def test_d06_every_flipped_bit_and_every_cut_is_refused(books: Folder, filled: Database, tmp_path: Path) -> None:
    """1,000 flipped bits and 1,000 cuts of a backup and its manifest are refused, exit 7, and change nothing."""
    file = back_up(books, filled, tmp_path / "good.backup")
    manifest = file.with_name(file.name + ".json")
    untouched = (filled.path.read_bytes() if filled.path else b"", everything(filled))
    project = Project(parse_url(filled.url), books.path)
    chance = random.Random(20261122)
    whole = {path: path.read_bytes() for path in (file, manifest)}
    refused = 0
    for number in range(2000):
        victim = manifest if number % 10 == 0 else file
        good = whole[victim]
        if number % 2:
            place = chance.randrange(len(good) * 8)
            bad = bytearray(good)
            bad[place // 8] ^= 1 << place % 8
        else:
            bad = bytearray(good[: chance.randrange(len(good))])
        victim.write_bytes(bad)
        with pytest.raises(BackupFailed) as failed:
            restore(project, file, RestoreOptions(), Observer())
        assert failed.value.exit_code == 7
        refused += 1
        victim.write_bytes(good)
    assert refused == 2000
    assert (filled.path.read_bytes() if filled.path else b"", everything(filled)) == untouched
    file.write_bytes(whole[file][:-1])
    assert books.error("restore", str(file), "--yes", database=filled, expect=7)["code"] == "BACKUP_DAMAGED"
    file.write_bytes(whole[file])
    books.run("restore", str(file), "--yes", database=filled)


def test_d06_a_file_without_its_manifest_is_no_backup(books: Folder, filled: Database, tmp_path: Path) -> None:
    """A file without its manifest is no backup, whatever is in it."""
    file = back_up(books, filled, tmp_path / "good.backup")
    file.with_name(file.name + ".json").unlink()
    assert books.error("restore", str(file), "--yes", database=filled, expect=7)["code"] == "NO_MANIFEST"


def test_d07_only_the_owner_may_read_a_backup(books: Folder, filled: Database, tmp_path: Path) -> None:
    """Backup, manifest and the record of a test have mode 0600, a new folder 0700, whatever the umask."""
    folder = tmp_path / "kept"
    before = os.umask(0)
    try:
        books.run("backup", "--backup-dir", str(folder), database=filled)
        books.run("backups", "--test", "--backup-dir", str(folder), database=filled)
    finally:
        os.umask(before)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    files = sorted(folder.iterdir())
    assert len(files) == 3 and {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
    folder.chmod(0o777)
    error = books.error("backup", "--backup-dir", str(folder), database=filled, expect=7)
    assert error["code"] == "BACKUP_FOLDER_REFUSED" and sorted(folder.iterdir()) == files


def test_d08_no_link_is_followed(books: Folder, filled: Database, tmp_path: Path) -> None:
    """A backup never goes through a link, whether it leads to a file or nowhere, and none is read through one."""
    victim = tmp_path / "victim"
    victim.write_text("precious")
    for target in (victim, tmp_path / "nowhere"):
        link = tmp_path / f"link-to-{target.name}"
        link.symlink_to(target)
        assert books.error("backup", str(link), database=filled, expect=7)["code"] == "BACKUP_EXISTS"
        planted = tmp_path / f"of-{target.name}"
        planted.with_name(f"{planted.name}.partial").symlink_to(target)
        assert books.error("backup", str(planted), database=filled, expect=7)["code"] == "BACKUP_EXISTS"
    assert victim.read_text() == "precious" and not (tmp_path / "nowhere").exists()
    folder = tmp_path / "elsewhere"
    folder.mkdir(mode=0o700)
    (tmp_path / "linked").symlink_to(folder)
    error = books.error("backup", "--backup-dir", str(tmp_path / "linked"), database=filled, expect=7)
    assert error["code"] == "BACKUP_FOLDER_REFUSED" and list(folder.iterdir()) == []
    file = back_up(books, filled, tmp_path / "good.backup")
    alias = tmp_path / "alias.backup"
    alias.symlink_to(file)
    shutil.copy(f"{file}.json", f"{alias}.json")
    assert books.error("restore", str(alias), "--yes", database=filled, expect=7)["code"] == "BACKUP_UNREADABLE"


def test_d09_two_backups_in_one_second_are_two(books: Folder, filled: Database, tmp_path: Path) -> None:
    """Every backup has a name of its own, also of the same second; a name that is taken is never written over."""
    folder = tmp_path / "kept"
    for _ in range(3):
        books.run("backup", "--backup-dir", str(folder), database=filled)
    answer = books.run("--json", "backups", "--backup-dir", str(folder), database=filled).json()
    assert len({one["file"] for one in answer["backups"]}) == 3
    assert [one["manifest"]["created_at"] for one in answer["backups"]] == sorted(
        (one["manifest"]["created_at"] for one in answer["backups"]), reverse=True
    )
    taken = tmp_path / "taken"
    taken.write_text("precious")
    assert books.error("backup", str(taken), database=filled, expect=7)["code"] == "BACKUP_EXISTS"
    assert taken.read_text() == "precious"


def test_d10_a_typo_or_an_empty_file_is_not_taken_for_the_database(
    books: Folder, filled: Database, tmp_path: Path
) -> None:
    """Backup and restore make no database out of a typo, and a backup of an empty file says that nothing is in it."""
    file = back_up(books, filled, tmp_path / "good.backup")
    if filled.dialect == "postgres":
        name = parse_url(filled.url).name
        typo = filled.url.replace(f"/{name}", f"/{name}_typo", 1)
        for command in (["backup"], ["restore", str(file), "--yes", "--other-database"]):
            assert maxwell_db(*command, database=typo, sql=books.path).exit_code == 1
        return
    for command in (["backup"], ["restore", str(file), "--yes", "--other-database"]):
        result = maxwell_db(*command, database=f"sqlite:///{tmp_path}/typo.db", sql=books.path)
        assert result.exit_code == 2 and not (tmp_path / "typo.db").exists()
    empty = tmp_path / "empty.db"
    empty.touch()
    answer = books.run("--json", "backup", str(tmp_path / "e.backup"), database=sqlite_database(empty)).json()
    assert answer["manifest"]["rows"] == {} and answer["manifest"]["applied"] == [] and empty.read_bytes() == b""


def test_d11_the_marks_travel_in_the_backup(books: Folder, filled: Database, tmp_path: Path) -> None:
    """The marks travel in the backup: nothing is to be stamped, plain yoyo agrees, and apply goes on from there."""
    books.run("rollback", BOOK, "--yes", database=filled)
    file = back_up(books, filled, tmp_path / "good.backup")
    then = everything(filled)
    books.run("apply", database=filled)
    books.run("restore", str(file), "--yes", database=filled)
    assert everything(filled) == then and marks(filled) == [AUTHOR, BOOK]
    listed = yoyo("list", database=filled, sources=books.path, cwd=tmp_path)
    assert listed.exit_code == 0 and listed.stdout.count("\nA") == 2
    books.run("apply", database=filled)
    assert len(marks(filled)) == 3


@pytest.mark.postgres
def test_d12_nothing_in_a_dump_is_run_as_a_command(
    books: Folder, make_database: Callable[[str], Database], pg_url: str, tmp_path: Path
) -> None:
    """A dump is data: no program that takes commands reads it, so that those of psql in names and rows do nothing."""
    database = make_database("postgres")
    marker = tmp_path / "was-run"
    books.run("apply", database=database)
    evil = f"\\! touch {marker.name}"
    with database.connect() as connection, closing(connection.cursor()) as cursor:
        cursor.execute("INSERT INTO author VALUES (3, %s), (4, %s)", (f"x\n{evil}\n\\.\n{evil}\n", "a\tb\\\r\n\\N"))
        cursor.execute("SELECT lo_from_bytea(4711, %s)", (b"BEGIN;\nCOMMIT;\n",))
        cursor.execute("CREATE SEQUENCE counter; SELECT setval('counter', 41)")
        cursor.execute("COMMENT ON TABLE author IS %s", (f"x\n{evil}\nCOPY author FROM stdin;\n{evil}",))
        cursor.execute(f'CREATE TABLE "x\n{evil}\n" (a int)')
    then = everything(database)
    comment = database.value("SELECT obj_description('author'::regclass)")
    for number, who in enumerate([swapped(database), without_createdb(pg_url, database)]):
        with who as url:
            file = tmp_path / f"evil-{number}.dump"
            for command in (["backup", str(file)], ["restore", str(file), "--yes"]):
                result = maxwell_db(*command, database=url, sql=books.path, cwd=tmp_path)
                assert result.exit_code == 0, result
                if command[0] == "backup":
                    database.script(
                        "SELECT lowrite(lo_open(4711, 131072), 'x'); SELECT nextval('counter');"
                        " DELETE FROM author WHERE id > 2; COMMENT ON TABLE author IS 'x'"
                    )
        assert everything(database) == then
        assert bytes(database.value("SELECT lo_get(4711)")) == b"BEGIN;\nCOMMIT;\n"
        assert database.value("SELECT last_value FROM counter") == 41
        assert database.value("SELECT obj_description('author'::regclass)") == comment
    assert not marker.exists()


@contextmanager
def swapped(database: Database) -> Iterator[str]:
    """The URL of a role that may create databases."""
    yield database.url


@contextmanager
def without_createdb(pg_url: str, database: Database) -> Iterator[str]:
    """The URL of a role that owns the database and all in it, and may not create another one."""
    from urllib.parse import urlsplit

    from tests.support.databases import run_as_admin

    name = urlsplit(database.url).path[1:]
    role = f"owner_of_{name}"[:60]
    take_over = f"""
        DO $$ DECLARE one text; BEGIN
            FOR one IN SELECT format('ALTER TABLE %I.%I OWNER TO "{role}"', schemaname, tablename)
                       FROM pg_tables WHERE schemaname = 'public'
            LOOP EXECUTE one; END LOOP;
        END $$;
        ALTER SEQUENCE counter OWNER TO "{role}";
        ALTER LARGE OBJECT 4711 OWNER TO "{role}";
        ALTER SCHEMA public OWNER TO "{role}"
    """
    run_as_admin(pg_url, f"CREATE ROLE \"{role}\" LOGIN PASSWORD 'none'", f'ALTER DATABASE "{name}" OWNER TO "{role}"')
    with database.connect() as connection, closing(connection.cursor()) as cursor:
        cursor.execute(take_over)
    parts = urlsplit(database.url)
    host = parts.netloc.rpartition("@")[2]
    try:
        yield parts._replace(netloc=f"{role}:none@{host}").geturl()
    finally:
        with database.connect() as connection, closing(connection.cursor()) as cursor:
            cursor.execute(f'REASSIGN OWNED BY "{role}" TO CURRENT_USER; DROP OWNED BY "{role}"')
        run_as_admin(pg_url, f'ALTER DATABASE "{name}" OWNER TO CURRENT_USER', f'DROP ROLE "{role}"')
