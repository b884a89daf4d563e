"""Rollback: newest first, each in its own transaction, with a way back even where the file is gone or was changed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.databases import Database, rows_of
from tests.support.migrations import (
    AUTHOR,
    BOOK,
    PRICE,
    Folder,
    bookkeeping,
    held_locks,
    ledger,
    library,
    log,
    marks,
)
from tests.support.tool import maxwell_db

MakeDatabase = Callable[[str], Database]


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    """The three migrations of a library."""
    return library(tmp_path)


@pytest.fixture
def applied(database: Database, folder: Folder) -> Database:
    """A database with all three of them, in each dialect in turn."""
    folder.run("apply", database=database)
    return database


def rolled_back(folder: Folder, database: Database, *arguments: str) -> list[str]:
    answer = folder.run("--json", "rollback", *arguments, "--yes", database=database).json()
    return [item["id"] for item in answer["rolled_back"]]


# How far.


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ((), [PRICE]),
        (("-n", "2"), [PRICE, BOOK]),
        (("-2",), [PRICE, BOOK]),
        ((BOOK,), [PRICE]),
        (("0.1.0",), [PRICE, BOOK]),
        (("one",), [PRICE, BOOK]),
        (("base",), [PRICE, BOOK, AUTHOR]),
        (("head",), []),
        ((PRICE,), []),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, tuple) else None,
)
def test_rollback_takes_back_what_comes_after_its_target_newest_first(
    applied: Database, folder: Folder, arguments: tuple[str, ...], expected: list[str]
) -> None:
    assert rolled_back(folder, applied, *arguments) == expected
    assert marks(applied) == [id for id in (AUTHOR, BOOK, PRICE) if id not in expected]
    assert [entry for entry in log(applied) if entry[0] == "rollback"] == [("rollback", id) for id in expected]
    assert list(ledger(applied, "rollback")) == expected


def test_files_without_depends_are_taken_back_newest_first(database: Database, tmp_path: Path) -> None:
    folder = Folder(tmp_path / "own")
    folder.add("001", "CREATE TABLE a (id INTEGER NOT NULL PRIMARY KEY);", "DROP TABLE a;")
    folder.add("002", "CREATE TABLE b (a_id INTEGER REFERENCES a (id));", "DROP TABLE b;")
    folder.add("003", "INSERT INTO a VALUES (1); INSERT INTO b VALUES (1);", "DELETE FROM b; DELETE FROM a;")
    folder.run("apply", database=database)
    answer = folder.run("--json", "rollback", "base", "--yes", "--no-verify", database=database).json()
    assert [item["id"] for item in answer["rolled_back"]] == ["003", "002", "001"]
    assert database.tables() == set()


def test_everything_comes_back_and_the_tables_are_gone(applied: Database, folder: Folder) -> None:
    rolled_back(folder, applied, "base")
    assert applied.tables() == set()
    folder.run("apply", database=applied)
    assert applied.value("SELECT count(*) FROM author") == 2
    assert held_locks(applied) == []


def test_nothing_applied_is_nothing_to_do(database: Database, folder: Folder) -> None:
    database.script("SELECT 1")
    assert rolled_back(folder, database) == []
    assert rolled_back(folder, database, "base") == []


def test_a_target_that_is_not_applied_is_refused(database: Database, folder: Folder) -> None:
    folder.run("apply", BOOK, database=database)
    assert folder.error("rollback", PRICE, "--yes", database=database, expect=2)["code"] == "TARGET_NOT_APPLIED"
    folder.run("rollback", "-n", "3", "--yes", database=database, expect=2)
    folder.run("rollback", "+1", "--yes", database=database, expect=2)
    folder.run("rollback", BOOK, "-n", "1", "--yes", database=database, expect=2)
    assert marks(database) == [AUTHOR, BOOK]


def test_without_a_terminal_it_does_not_ask_but_refuses(applied: Database, folder: Folder) -> None:
    error = folder.error("rollback", database=applied, expect=2)
    assert error["code"] == "NOT_CONFIRMED"
    assert "--yes" in error["hint"]
    assert marks(applied) == [AUTHOR, BOOK, PRICE]


def test_a_missing_database_is_refused_and_not_made(make_database: MakeDatabase, folder: Folder) -> None:
    database = make_database("sqlite")
    assert database.path is not None
    folder.run("rollback", "--yes", database=database, expect=2)
    assert not database.path.exists()


# No way back.


def test_an_irreversible_one_is_refused_before_anything_runs(applied: Database, folder: Folder) -> None:
    folder.add("004", "DELETE FROM book;", None, irreversible="the books were burnt", expect_row_loss="book")
    folder.add("005", "CREATE TABLE ash (n INTEGER);", "DROP TABLE ash;")
    folder.run("apply", database=applied)
    error = folder.error("rollback", BOOK, "--yes", database=applied, expect=1)
    assert error["code"] == "IRREVERSIBLE"
    assert "the books were burnt" in error["message"]
    assert marks(applied) == [AUTHOR, BOOK, PRICE, "004", "005"]
    assert "ash" in applied.tables()
    assert rolled_back(folder, applied) == ["005"]


def test_a_mark_without_file_and_without_stored_text_is_refused(applied: Database, folder: Folder) -> None:
    folder.add("004", "CREATE TABLE x (n INTEGER);", "DROP TABLE x;")
    folder.run("stamp", "004", "--force", database=applied)
    remove(folder, "004")
    error = folder.error("rollback", "--yes", database=applied, expect=6)
    assert error["code"] == "MIGRATION_MISSING"
    assert "004" in error["message"]
    assert marks(applied) == [AUTHOR, BOOK, PRICE, "004"]


def test_a_failing_rollback_leaves_everything(applied: Database, folder: Folder) -> None:
    path = folder.path / f"{BOOK}.rollback.sql"
    path.write_text("DROP INDEX book_author;\n\nDROP TABLE nowhere;\n")
    before = rows_of(applied, ["author", "book", "_yoyo_migration"])
    answer = folder.run("--json", "rollback", AUTHOR, "--yes", database=applied, expect=1).json()
    assert answer["error"]["file"] == str(path)
    assert answer["error"]["line"] == 3
    assert "nowhere" in answer["error"]["message"]
    # What came before it in this run stays taken back, as with an apply.
    assert [item["id"] for item in answer["rolled_back"]] == [PRICE]
    assert marks(applied) == [AUTHOR, BOOK]
    after = rows_of(applied, ["author", "book", "_yoyo_migration"])
    assert after["author"] == before["author"]
    assert index_is_there(applied, "book_author")
    assert held_locks(applied) == []


def index_is_there(database: Database, name: str) -> bool:
    table, column = ("sqlite_master", "name") if database.dialect == "sqlite" else ("pg_class", "relname")
    return bool(database.value(f"SELECT count(*) FROM {table} WHERE {column} = '{name}'"))


# The stored way back.


def remove(folder: Folder, id: str) -> None:
    (folder.path / f"{id}.sql").unlink()
    (folder.path / f"{id}.rollback.sql").unlink(missing_ok=True)


def test_the_stored_text_takes_back_a_migration_whose_files_are_gone(applied: Database, folder: Folder) -> None:
    remove(folder, PRICE)
    assert rolled_back(folder, applied) == [PRICE]
    assert applied.query("SELECT * FROM book") == []
    assert columns_of_book(applied) == ["id", "author_id"]
    assert marks(applied) == [AUTHOR, BOOK]


def test_files_gone_in_the_middle_are_taken_back_in_order(applied: Database, folder: Folder) -> None:
    text = (folder.path / f"{PRICE}.sql").read_text()
    (folder.path / f"{PRICE}.sql").write_text(text.replace(f"-- depends: {BOOK}\n", ""))
    remove(folder, BOOK)
    assert rolled_back(folder, applied, "base") == [PRICE, BOOK, AUTHOR]
    assert applied.tables() == set()


def test_a_missing_migration_from_outside_a_transaction_is_taken_back_outside(
    make_database: MakeDatabase, folder: Folder
) -> None:
    database = make_database("postgres")
    folder.add(
        "004",
        "CREATE INDEX CONCURRENTLY book_price ON book (price);",
        "DROP INDEX CONCURRENTLY book_price;",
        transactional="false",
    )
    folder.run("apply", database=database)
    remove(folder, "004")
    assert rolled_back(folder, database) == ["004"]
    assert not index_is_there(database, "book_price")


def test_a_changed_apply_file_is_taken_back_by_the_stored_text(applied: Database, folder: Folder) -> None:
    folder.add(PRICE, "ALTER TABLE book ADD COLUMN cost INTEGER;\n", "ALTER TABLE book DROP COLUMN cost;\n")
    assert folder.states(applied)[PRICE] == "changed"
    assert rolled_back(folder, applied) == [PRICE]
    assert columns_of_book(applied) == ["id", "author_id"]


def test_a_rollback_file_that_alone_was_corrected_is_the_one_that_runs(applied: Database, folder: Folder) -> None:
    (folder.path / f"{PRICE}.rollback.sql").write_text(
        "CREATE TABLE kept AS SELECT id, price FROM book;\nALTER TABLE book DROP COLUMN price;\n"
    )
    assert rolled_back(folder, applied) == [PRICE]
    assert "kept" in applied.tables()


def test_comments_in_the_apply_file_do_not_matter(applied: Database, folder: Folder) -> None:
    path = folder.path / f"{PRICE}.sql"
    path.write_text(path.read_text() + "-- in cents\n")
    assert folder.states(applied)[PRICE] == "cosmetic"
    assert rolled_back(folder, applied) == [PRICE]
    assert columns_of_book(applied) == ["id", "author_id"]


def test_an_index_dropped_by_hand_fails_and_stamp_settles_it(applied: Database, folder: Folder) -> None:
    applied.script("DROP INDEX book_author")
    rolled_back(folder, applied)
    error = folder.error("rollback", "--yes", database=applied, expect=1)
    assert "book_author" in error["message"]
    assert marks(applied) == [AUTHOR, BOOK]
    applied.script("DROP TABLE book")
    folder.run("stamp", AUTHOR, database=applied)
    assert rolled_back(folder, applied) == [AUTHOR]


def columns_of_book(database: Database) -> list[str]:
    with database.connect() as connection:
        cursor = connection.cursor()
        cursor.execute("SELECT * FROM book")
        return [column[0] for column in cursor.description]


# Verify after.


def test_rows_that_a_rollback_takes_from_another_table_are_a_violation(applied: Database, folder: Folder) -> None:
    (folder.path / f"{PRICE}.rollback.sql").write_text("ALTER TABLE book DROP COLUMN price;\nDELETE FROM author;\n")
    answer = folder.run("--json", "rollback", "--yes", database=applied, expect=4).json()
    assert answer["error"]["code"] == "VIOLATIONS_FOUND"
    assert "author" in answer["error"]["message"]
    assert "2 rows before, 0 after" in answer["error"]["message"]
    assert [item["id"] for item in answer["rolled_back"]] == [PRICE]
    assert f"maxwell-db apply {PRICE}" in answer["error"]["hint"]
    failed = [check["name"] for check in answer["verify"]["checks"] if check["status"] == "failed"]
    assert failed == ["row-loss"]


def test_tables_that_a_rollback_drops_are_no_violation(applied: Database, folder: Folder) -> None:
    applied.script("INSERT INTO book (id, author_id) VALUES (1, 1)")
    answer = folder.run("--json", "rollback", "base", "--yes", database=applied).json()
    assert answer["verify"]["counts"] == {}
    assert applied.tables() == set()


def test_orphans_that_a_rollback_makes_are_a_violation(make_database: MakeDatabase, folder: Folder) -> None:
    database = make_database("sqlite")
    folder.run("apply", database=database)
    (folder.path / f"{PRICE}.rollback.sql").write_text("INSERT INTO book VALUES (1, 99, 1);\n")
    error = folder.error("rollback", "--yes", database=database, expect=4)
    assert "book rowid 1 has no parent in author" in error["message"]
    assert marks(database) == [AUTHOR, BOOK, PRICE]


def test_rows_lost_in_an_apply_are_a_violation_unless_declared(applied: Database, folder: Folder) -> None:
    folder.add("004", "DELETE FROM author WHERE id = 2;")
    answer = folder.run("--json", "apply", database=applied, expect=4).json()
    assert "author: 2 rows before, 1 after" in answer["error"]["message"]
    folder.add("005", "DELETE FROM author;", expect_row_loss="author")
    answer = folder.run("--json", "apply", database=applied).json()
    assert [item["id"] for item in answer["applied"]] == ["005"]
    assert answer["verify"]["counts"]["author"] == 0


def test_a_table_dropped_by_an_apply_loses_its_rows_unless_declared(applied: Database, folder: Folder) -> None:
    folder.add("004", "DROP TABLE book;\nDROP TABLE author;\n")
    error = folder.error("apply", "--gate", database=applied, expect=4)
    assert "author: 2 rows before, and the table is gone" in error["message"]
    assert applied.tables() == {"author", "book"}
    folder.add("004", "DROP TABLE book;\nDROP TABLE author;\n", expect_row_loss="author")
    folder.run("apply", "--gate", database=applied)
    assert applied.tables() == set()


# Records.


def test_a_rollback_leaves_the_apply_in_the_ledger_and_a_new_apply_counts(applied: Database, folder: Folder) -> None:
    first = ledger(applied)[PRICE]["log_id"]
    rolled_back(folder, applied)
    taken = ledger(applied, "rollback")[PRICE]
    assert taken["rollback_sha256"] == ledger(applied)[PRICE]["rollback_sha256"]
    assert taken["duration_ms"] > 0
    folder.run("apply", database=applied)
    assert ledger(applied)[PRICE]["log_id"] != first
    assert folder.states(applied)[PRICE] == "applied"


def test_bookkeeping_stays_after_everything_is_taken_back(applied: Database, folder: Folder) -> None:
    before = bookkeeping(applied)
    rolled_back(folder, applied, "base")
    assert bookkeeping(applied) == before
    assert maxwell_db("--json", "status", database=applied, sql=folder.path).json()["version"] is None
