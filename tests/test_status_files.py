"""status looks at size and times of a file before it reads it: what that spares, and that it misses nothing."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from runner.ledger import ADDED_COLUMNS, COLUMNS
from runner.sources import file_stat
from tests.support.databases import Database
from tests.support.migrations import AUTHOR, BOOK, PRICE, Folder

STATS = "SELECT migration_id, apply_stat, rollback_stat FROM _maxwell_ledger ORDER BY migration_id"


@pytest.fixture
def settled(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if the files had been lying there for a while."""
    monkeypatch.setattr(file_stat, "SETTLED_SECONDS", -3600.0)


#: What version 0.1.0 began with.
FIRST_LEDGER = """
CREATE TABLE _maxwell_ledger (
    log_id          VARCHAR(36)  NOT NULL PRIMARY KEY,  -- the row of _yoyo_log
    operation       VARCHAR(10)  NOT NULL,              -- apply, rollback; unfinished: begun outside a transaction
    migration_id    VARCHAR(255) NOT NULL,
    schema_version  VARCHAR(50),
    revision        VARCHAR(255),
    apply_sha256    VARCHAR(64),
    rollback_sha256 VARCHAR(64),
    apply_sql       TEXT,
    rollback_sql    TEXT,
    at_utc          TIMESTAMP    NOT NULL,              -- of an apply: the mark's applied_at_utc
    duration_ms     DOUBLE PRECISION,
    username        VARCHAR(255),
    hostname        VARCHAR(255),
    tool_version    VARCHAR(50),
    verify          VARCHAR(10)                         -- passed, failed; NULL: not verified
)
"""


def earlier_version(database: Database) -> None:
    """The ledger as it was before it kept anything of the files."""
    columns = ", ".join(column for column in COLUMNS if column not in ADDED_COLUMNS)
    database.script("ALTER TABLE _maxwell_ledger RENAME TO later")
    database.script(FIRST_LEDGER)
    database.script(f"INSERT INTO _maxwell_ledger ({columns}) SELECT {columns} FROM later")
    database.script("DROP TABLE later")


@pytest.mark.usefixtures("settled")
def test_an_untouched_file_is_not_read(books: Folder, database: Database) -> None:
    books.run("apply", database=database)
    database.script(f"UPDATE _maxwell_ledger SET apply_sha256 = 'of another text' WHERE migration_id = '{BOOK}'")
    assert books.states(database) == dict.fromkeys((AUTHOR, BOOK, PRICE), "applied")
    answer = books.run("--json", "status", "--read-files", database=database).json()
    assert [one["state"] for one in answer["migrations"]] == ["applied", "cosmetic", "applied"]


@pytest.mark.usefixtures("settled")
@pytest.mark.parametrize("ending", [".sql", ".rollback.sql"])
def test_an_edit_of_the_same_size_and_time_is_noticed(books: Folder, database: Database, ending: str) -> None:
    books.run("apply", database=database)
    file = books.path / f"{BOOK}{ending}"
    before = file.stat()
    file.write_text(file.read_text().replace("book_author", "book_auther"))
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert (file.stat().st_size, file.stat().st_mtime_ns) == (before.st_size, before.st_mtime_ns)
    assert books.states(database)[BOOK] == "changed"


def test_a_file_that_was_just_written_is_read(books: Folder, database: Database) -> None:
    books.run("apply", database=database)
    assert database.query(STATS) == [(id, None, None) for id in (AUTHOR, BOOK, PRICE)]
    assert books.states(database) == dict.fromkeys((AUTHOR, BOOK, PRICE), "applied")


@pytest.mark.usefixtures("settled")
def test_a_file_that_was_touched_but_not_changed_is_applied(books: Folder, database: Database) -> None:
    books.run("apply", database=database)
    os.utime(books.path / f"{AUTHOR}.sql")
    assert books.states(database)[AUTHOR] == "applied"


@pytest.mark.usefixtures("settled")
def test_version_and_facts_are_those_of_the_files(books: Folder, database: Database) -> None:
    books.run("apply", "0.2.0", database=database)
    quick = books.run("--json", "status", database=database).json()
    whole = books.run("--json", "status", "--read-files", database=database).json()
    assert quick == whole
    assert (quick["version"], quick["pending"]) == ("0.2.0", 1)
    for path in books.path.iterdir():
        path.write_text(path.read_text())  # read again
    assert books.run("--json", "status", database=database).json() == whole


@pytest.mark.usefixtures("settled")
def test_a_new_file_is_refused_beside_unread_ones_as_beside_read_ones(books: Folder, database: Database) -> None:
    books.run("apply", database=database)
    books.add("004_late", "SELECT 1;\n", version="0.2.0")
    error = books.error("status", database=database, expect=2)
    assert (error["code"], error["file"]) == ("BAD_ORDER", str(books.path / "004_late.sql"))
    books.add("004_late", "SELECT 1;\n", revision="two")
    error = books.error("status", database=database, expect=2)
    assert (error["code"], error["file"]) == ("DUPLICATE_REVISION", str(books.path / "004_late.sql"))
    books.add("004_late", "SELECT 1;\n", depends="000_none")
    assert books.error("status", database=database, expect=2)["code"] == "UNKNOWN_DEPENDENCY"
    books.add("004_late", "SELECT 1;\n", depends=BOOK)
    assert books.states(database)["004_late"] == "pending"
    books.add("001_b_older", "SELECT 1;\n")
    assert books.states(database)["001_b_older"] == "out-of-order"


@pytest.mark.usefixtures("settled")
def test_what_does_not_belong_there_is_refused_beside_unread_files(books: Folder, database: Database) -> None:
    books.run("apply", database=database)
    (books.path / ".gitkeep").touch()
    assert books.states(database)[AUTHOR] == "applied"
    (books.path / "helper.py").touch()
    assert books.error("status", database=database, expect=2)["code"] == "PYTHON_MIGRATION"
    (books.path / "helper.py").unlink()
    (books.path / f"{BOOK}.rollback.sql").unlink()
    assert books.error("status", database=database, expect=2)["code"] == "MISSING_ROLLBACK"


@pytest.mark.usefixtures("settled")
def test_a_link_or_a_file_open_to_everybody_is_refused_though_it_was_applied(
    books: Folder, database: Database, tmp_path: Path
) -> None:
    books.run("apply", database=database)
    file = books.path / f"{BOOK}.sql"
    file.chmod(0o666)
    assert books.error("status", database=database, expect=2)["code"] == "WORLD_WRITABLE"
    file.chmod(0o644)
    file.rename(tmp_path / "elsewhere.sql")
    file.symlink_to(tmp_path / "elsewhere.sql")
    assert books.error("status", database=database, expect=2)["code"] == "UNEXPECTED_FILE"


@pytest.mark.usefixtures("settled")
def test_a_missing_file_is_missing(books: Folder, database: Database) -> None:
    books.run("apply", database=database)
    for path in books.path.glob(f"{PRICE}.*"):
        path.unlink()
    assert books.states(database) == {AUTHOR: "applied", BOOK: "applied", PRICE: "missing"}


@pytest.mark.usefixtures("settled")
def test_a_ledger_of_an_earlier_version_is_read_and_brought_up_to_date(books: Folder, database: Database) -> None:
    books.run("apply", BOOK, database=database)
    earlier_version(database)
    assert books.states(database) == {AUTHOR: "applied", BOOK: "applied", PRICE: "pending"}
    assert "ALTER TABLE _maxwell_ledger ADD COLUMN apply_stat" in books.run("plan", database=database).stdout
    books.run("apply", database=database)
    known = {id: (apply is not None, rollback is not None) for id, apply, rollback in database.query(STATS)}
    assert known == {AUTHOR: (False, False), BOOK: (False, False), PRICE: (True, True)}
    assert books.states(database) == dict.fromkeys((AUTHOR, BOOK, PRICE), "applied")


@pytest.mark.usefixtures("settled")
def test_repair_knows_the_file_that_it_accepted(books: Folder, database: Database) -> None:
    books.run("apply", database=database)
    file = books.path / f"{PRICE}.sql"
    file.write_text(file.read_text() + "CREATE TABLE shelf (id INTEGER);\n")
    assert books.states(database)[PRICE] == "changed"
    books.run("repair", "--accept", PRICE, database=database)
    assert {id: apply for id, apply, _ in database.query(STATS)}[PRICE] == file_stat.stat_word(file.stat())
    assert books.states(database)[PRICE] == "applied"
