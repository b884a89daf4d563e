"""``--batch-commits``, and a SQLite file that the run makes: the disk is waited for once, and all is as it was then."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from runner.dialects import sqlite_journal
from tests.support.databases import Database, sqlite_database
from tests.support.migrations import AUTHOR, BOOK, PRICE, Folder, library, marks

LIBRARY = [AUTHOR, BOOK, PRICE]


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return library(tmp_path)


@pytest.fixture
def lite(tmp_path: Path, folder: Folder) -> Database:
    """A SQLite database with the first migration."""
    database = sqlite_database(tmp_path / "own.db")
    folder.run("apply", AUTHOR, database=database)
    return database


def beside(database: Database) -> list[str]:
    assert database.path is not None
    return sorted(path.name for path in database.path.parent.glob(f"{database.path.name}*"))


@pytest.fixture
def modes(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The journal modes that were set."""
    seen: list[str] = []
    set_mode = sqlite_journal._set_mode

    def noting(connection: sqlite3.Connection, mode: str) -> bool:
        seen.append(mode)
        return set_mode(connection, mode)

    monkeypatch.setattr(sqlite_journal, "_set_mode", noting)
    return seen


def test_a_batch_ends_in_the_journal_mode_that_it_found(lite: Database, folder: Folder, modes: list[str]) -> None:
    folder.run("apply", "--batch-commits", database=lite)
    assert modes == ["wal", "delete"]
    assert marks(lite) == LIBRARY
    assert lite.value("PRAGMA journal_mode") == "delete"
    assert beside(lite) == ["own.db"]


def test_without_the_option_a_file_that_is_there_keeps_its_mode_throughout(
    lite: Database, folder: Folder, modes: list[str]
) -> None:
    folder.run("apply", database=lite)
    assert modes == []
    assert marks(lite) == LIBRARY


def test_a_file_that_the_run_makes_is_made_in_a_batch(tmp_path: Path, folder: Folder, modes: list[str]) -> None:
    new = sqlite_database(tmp_path / "new.db")
    folder.run("apply", database=new)
    assert modes == ["wal", "delete"]
    assert marks(new) == LIBRARY
    assert new.value("PRAGMA journal_mode") == "delete"
    assert beside(new) == ["new.db"]


def test_the_environment_and_the_file_can_ask_for_it(lite: Database, folder: Folder, modes: list[str]) -> None:
    from tests.support.tool import maxwell_db

    done = maxwell_db("apply", database=lite, sql=folder.path, env={"MAXWELL_DB_BATCH_COMMITS": "1"})
    assert done.exit_code == 0, done.stderr
    assert modes == ["wal", "delete"]


def test_a_database_in_wal_mode_stays_in_it(lite: Database, folder: Folder, modes: list[str]) -> None:
    assert lite.value("PRAGMA journal_mode = WAL") == "wal"
    folder.run("apply", "--batch-commits", database=lite)
    assert modes == []
    assert marks(lite) == LIBRARY
    assert lite.value("PRAGMA journal_mode") == "wal"


def test_where_somebody_else_is_at_it_the_mode_stays(lite: Database, folder: Folder) -> None:
    """SQLite does not change the mode of a file that another program reads; the run goes on without."""
    with lite.connect() as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM author").fetchall()
        reader.execute("COMMIT")
        folder.run("apply", "--batch-commits", database=lite)
    assert marks(lite) == LIBRARY
    assert lite.value("PRAGMA journal_mode") == "delete"


def test_a_failure_half_way_leaves_the_old_mode_too(lite: Database, folder: Folder, modes: list[str]) -> None:
    folder.add("004_bad", "INSERT INTO nowhere VALUES (1);\n")
    folder.error("apply", "--batch-commits", database=lite, expect=1)
    assert modes == ["wal", "delete"]
    assert marks(lite) == LIBRARY
    assert lite.value("PRAGMA journal_mode") == "delete"
    assert beside(lite) == ["own.db"]


def test_a_reader_that_stays_is_told_of_and_the_next_run_puts_the_mode_back(
    lite: Database, folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite_journal, "PATIENCE", 0.1)
    written_ahead = sqlite_journal.go_back
    readers: list[Any] = []

    def while_read(*given: Any) -> None:
        assert lite.path is not None
        reader = sqlite3.connect(lite.path, isolation_level=None, check_same_thread=False)
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM author").fetchall()
        readers.append(reader)
        written_ahead(*given)

    monkeypatch.setattr(sqlite_journal, "go_back", while_read)
    done = folder.run("apply", "--batch-commits", database=lite)
    monkeypatch.undo()
    assert "stays in WAL mode" in done.stderr
    for reader in readers:
        reader.close()
    assert marks(lite) == LIBRARY
    assert lite.value("PRAGMA journal_mode") == "wal"
    assert "own.db.maxwell-lock" in beside(lite)
    assert folder.states(lite)[PRICE] == "applied"
    folder.run("apply", database=lite)  # nothing is pending, and this is still to be done
    assert lite.value("PRAGMA journal_mode") == "delete"
    assert beside(lite) == ["own.db"]


def test_a_lock_file_that_says_anything_else_changes_no_mode(lite: Database, folder: Folder, modes: list[str]) -> None:
    assert lite.path is not None
    for content in ("", "[]", json.dumps({"journal": "off"}), json.dumps({"journal": "delete; DROP TABLE author"})):
        Path(f"{lite.path}.maxwell-lock").write_text(content)
        folder.run("apply", BOOK, database=lite)
        assert modes == []
        folder.run("rollback", AUTHOR, "--yes", database=lite)


def test_postgres_waits_for_the_disk_at_the_end(
    make_database: Callable[[str], Database], pg_url: str, folder: Folder
) -> None:
    """Within a batch no commit waits; the last one of the run does."""
    pg = make_database("postgres")
    folder.add("004_asked", "CREATE TABLE asked AS SELECT current_setting('synchronous_commit') AS answer;\n")
    folder.run("apply", PRICE, database=pg)
    folder.add("005_asked", "INSERT INTO asked SELECT current_setting('synchronous_commit');\n")
    folder.run("apply", "--batch-commits", database=pg)
    assert pg.query("SELECT answer FROM asked") == [("off",), ("off",)]
    folder.add("006_asked", "INSERT INTO asked SELECT current_setting('synchronous_commit');\n")
    folder.run("apply", database=pg)
    assert pg.value("SELECT count(*) FROM asked WHERE answer <> 'off'") == 1
    assert pg.query("SELECT pid FROM yoyo_lock") == []


def test_a_killed_batch_is_read_by_status_and_finished_by_the_next_run(lite: Database, folder: Folder) -> None:
    """As a kill leaves it: in WAL mode, with the log beside it, and the old mode in the lock file."""
    assert lite.path is not None
    with closing(sqlite3.connect(lite.path, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("INSERT INTO author (id, name) VALUES (3, 'Oda')")
        files = {name: (lite.path.parent / name).read_bytes() for name in beside(lite)}
    for name, content in files.items():
        (lite.path.parent / name).write_bytes(content)
    Path(f"{lite.path}.maxwell-lock").write_text(json.dumps({"journal": "delete"}))
    assert folder.states(lite) == {AUTHOR: "applied", BOOK: "pending", PRICE: "pending"}
    folder.run("apply", database=lite)
    assert lite.value("SELECT count(*) FROM author") == 3
    assert lite.value("PRAGMA journal_mode") == "delete"
    assert beside(lite) == ["own.db"]
