"""History: who did what and when; and the states in which a migration can stand to its file."""

from __future__ import annotations

import getpass
import hashlib
import re
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from runner import __version__
from tests.support.databases import Database
from tests.support.migrations import AUTHOR, BOOK, PRICE, Folder, bookkeeping, library, marks
from tests.support.tool import yoyo

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


def history(folder: Folder, database: Database) -> list[dict[str, Any]]:
    entries: list[dict[str, Any]] = folder.run("--json", "history", database=database).json()["history"]
    return entries


def plain_yoyo(*arguments: str, database: Database, folder: Folder) -> None:
    done = yoyo(*arguments, database=database, sources=folder.path, cwd=folder.path.parent)
    assert done.exit_code == 0, done.stderr


# What was done.


def test_everything_that_was_done_is_there_oldest_first(database: Database, folder: Folder) -> None:
    folder.run("apply", BOOK, database=database)
    plain_yoyo("apply", database=database, folder=folder)
    folder.run("rollback", "--yes", database=database)
    folder.run("stamp", PRICE, "--force", database=database)
    folder.run("stamp", BOOK, "--force", database=database)
    entries = history(folder, database)
    assert [(entry["operation"], entry["id"]) for entry in entries] == [
        ("apply", AUTHOR),
        ("apply", BOOK),
        ("apply", PRICE),
        ("rollback", PRICE),
        ("mark", PRICE),
        ("unmark", PRICE),
    ]
    times = [entry["at"] for entry in entries]
    assert times == sorted(times)
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", time) for time in times)
    assert {entry["username"] for entry in entries} == {getpass.getuser()}
    assert entries[0]["hostname"] == socket.gethostname()


def test_what_we_did_has_version_duration_checksum_tool_and_outcome(applied: Database, folder: Folder) -> None:
    folder.run("rollback", "--yes", database=applied)
    entries = history(folder, applied)
    texts = {id: (folder.path / f"{id}.sql").read_bytes() for id in (AUTHOR, BOOK, PRICE)}
    for entry in entries:
        assert entry["apply_sha256"] == hashlib.sha256(texts[entry["id"]]).hexdigest()
        assert entry["duration_ms"] > 0
        assert entry["tool_version"] == __version__
    assert [entry["version"] for entry in entries] == ["0.1.0", "0.2.0", "0.3.0", "0.3.0"]
    assert [entry["verify"] for entry in entries[:3]] == ["passed"] * 3


def test_what_plain_yoyo_did_claims_nothing_more(database: Database, folder: Folder) -> None:
    plain_yoyo("apply", database=database, folder=folder)
    before = bookkeeping(database)
    (entry, *_) = history(folder, database)
    assert (entry["operation"], entry["id"]) == ("apply", AUTHOR)
    assert [entry[key] for key in ("version", "duration_ms", "apply_sha256", "tool_version", "verify")] == [None] * 5
    assert bookkeeping(database) == before, "looking made a table"


def test_nothing_done_is_an_empty_history(make_database: MakeDatabase, folder: Folder) -> None:
    assert history(folder, make_database("postgres")) == []
    missing = make_database("sqlite")
    assert missing.path is not None
    folder.run("history", database=missing, expect=2)
    assert not missing.path.exists()


def test_the_table_for_people_has_a_line_for_each(applied: Database, folder: Folder) -> None:
    folder.run("rollback", "--yes", database=applied)
    folder.run("stamp", "head", "--force", database=applied)
    lines = folder.run("history", database=applied).stdout.splitlines()
    assert [line.split()[2] for line in lines[1:]] == ["apply", "apply", "apply", "rollback", "stamp"]
    assert f"{getpass.getuser()}@{socket.gethostname()}" in lines[1]


def test_a_failed_apply_leaves_no_line(applied: Database, folder: Folder) -> None:
    folder.add("004", "DROP TABLE nowhere;")
    folder.run("apply", database=applied, expect=1)
    assert len(history(folder, applied)) == 3


# States.


def test_applied_and_pending(database: Database, folder: Folder) -> None:
    folder.run("apply", BOOK, database=database)
    answer = folder.run("--json", "status", database=database).json()
    assert [(item["state"], item["version"], item["revision"]) for item in answer["migrations"]] == [
        ("applied", "0.1.0", "one"),
        ("applied", "0.2.0", "two"),
        ("pending", "0.3.0", "three"),
    ]
    assert (answer["version"], answer["head_version"], answer["pending"]) == ("0.2.0", "0.3.0", 1)
    assert answer["migrations"][0]["duration_ms"] > 0
    assert answer["migrations"][2]["applied_at"] is None


def test_an_edited_file_is_changed_and_refused_by_name(applied: Database, folder: Folder) -> None:
    path = folder.path / f"{BOOK}.sql"
    path.write_text(path.read_text().replace("book_author", "book_writer"))
    folder.add("004", "CREATE TABLE shelf (n INTEGER);")
    assert folder.states(applied) == {AUTHOR: "applied", BOOK: "changed", PRICE: "applied", "004": "pending"}
    error = folder.error("apply", database=applied, expect=6)
    assert error["code"] == "CHECKSUM_MISMATCH"
    assert error["file"] == str(path)
    assert "+CREATE INDEX book_writer ON book (author_id);" in error["statement"].splitlines()
    assert marks(applied) == [AUTHOR, BOOK, PRICE]
    assert folder.run("status", "--exit-code", database=applied, expect=6)


def test_an_edited_rollback_file_is_changed_too(applied: Database, folder: Folder) -> None:
    path = folder.path / f"{BOOK}.rollback.sql"
    path.write_text("DROP TABLE book;\n")
    assert folder.states(applied)[BOOK] == "changed"
    error = folder.error("apply", database=applied, expect=6)
    assert error["file"] == str(path)


@pytest.mark.parametrize(
    "edit",
    [
        lambda text: text + "\n-- A word later.\n",
        lambda text: text.replace("    id INTEGER", "\tid     INTEGER"),
        lambda text: text.replace("CREATE INDEX", "/* quick */ CREATE INDEX"),
    ],
    ids=["comment", "space", "inside"],
)
def test_comments_and_white_space_are_cosmetic_and_not_refused(
    applied: Database, folder: Folder, edit: Callable[[str], str]
) -> None:
    path = folder.path / f"{BOOK}.sql"
    path.write_text(edit(path.read_text()))
    assert folder.states(applied)[BOOK] == "cosmetic"
    folder.add("004", "CREATE TABLE shelf (n INTEGER);")
    warned = folder.run("apply", database=applied).stderr
    assert f"{BOOK}: comments or white space differ" in warned and "maxwell-db repair" in warned
    assert "shelf" in applied.tables()


def test_white_space_in_a_literal_is_no_cosmetic(applied: Database, folder: Folder) -> None:
    path = folder.path / f"{AUTHOR}.sql"
    path.write_text(path.read_text().replace("'Maren'", "'Maren '"))
    assert folder.states(applied)[AUTHOR] == "changed"


def test_a_file_that_is_gone_is_missing_and_refused_by_name(applied: Database, folder: Folder) -> None:
    for suffix in (".sql", ".rollback.sql"):
        (folder.path / f"{PRICE}{suffix}").unlink()
    assert folder.states(applied) == {AUTHOR: "applied", BOOK: "applied", PRICE: "missing"}
    (item,) = [item for item in status(folder, applied) if item["id"] == PRICE]
    assert (item["version"], item["revision"], item["reversible"]) == ("0.3.0", "three", True)
    error = folder.error("apply", database=applied, expect=6)
    assert error["code"] == "MIGRATION_MISSING"
    assert PRICE in error["message"]


def status(folder: Folder, database: Database) -> list[dict[str, Any]]:
    migrations: list[dict[str, Any]] = folder.run("--json", "status", database=database).json()["migrations"]
    return migrations


def test_a_renamed_file_is_missing_and_pending_and_does_not_run_twice(applied: Database, folder: Folder) -> None:
    for suffix in (".sql", ".rollback.sql"):
        (folder.path / f"{PRICE}{suffix}").rename(folder.path / f"003_cost{suffix}")
    assert folder.states(applied)[PRICE] == "missing"
    folder.run("apply", database=applied, expect=6)
    assert marks(applied) == [AUTHOR, BOOK, PRICE]


def test_a_late_file_is_out_of_order_and_refused_by_name(applied: Database, folder: Folder) -> None:
    path = folder.add("002_z_late", "CREATE TABLE late (n INTEGER);")
    assert folder.states(applied)["002_z_late"] == "out-of-order"
    error = folder.error("apply", database=applied, expect=6)
    assert (error["code"], error["file"]) == ("OUT_OF_ORDER", str(path))
    assert PRICE in error["message"]
    assert "late" not in applied.tables()


def test_a_mark_without_a_ledger_row_is_applied(database: Database, folder: Folder) -> None:
    plain_yoyo("apply", database=database, folder=folder)
    assert set(folder.states(database).values()) == {"applied"}
    path = folder.path / f"{BOOK}.sql"
    path.write_text(path.read_text().replace("book_author", "book_writer"))
    assert folder.states(database)[BOOK] == "applied", "nothing is known of the text that ran"
    folder.run("apply", database=database)


def test_a_ledger_row_from_before_plain_yoyo_did_it_again_is_ignored(applied: Database, folder: Folder) -> None:
    plain_yoyo("rollback", "--revision", PRICE, database=applied, folder=folder)
    assert folder.states(applied)[PRICE] == "pending"
    folder.add(
        PRICE, "ALTER TABLE book ADD COLUMN cost INTEGER;\n", "ALTER TABLE book DROP COLUMN cost;\n", depends=BOOK
    )
    assert folder.states(applied)[PRICE] == "pending"
    plain_yoyo("apply", database=applied, folder=folder)
    assert folder.states(applied) == {AUTHOR: "applied", BOOK: "applied", PRICE: "applied"}
    # The stored way back is the old text's; the file's has to run.
    folder.run("rollback", "--yes", database=applied)
    assert [row[0] for row in applied.query("SELECT migration_id FROM _yoyo_migration ORDER BY 1")] == [AUTHOR, BOOK]


def test_unfinished_is_a_state_with_an_exit_code(make_database: MakeDatabase, folder: Folder) -> None:
    database = make_database("postgres")
    folder.run("apply", database=database)
    folder.add("004", "DO $$ BEGIN CREATE TABLE half (); COMMIT; PERFORM 1 / 0; END $$;", transactional="false")
    folder.run("apply", database=database, expect=8)
    assert folder.states(database)["004"] == "unfinished"
    shown = folder.run("status", "--exit-code", database=database, expect=8).stdout
    assert "unfinished" in shown
    assert [entry["id"] for entry in history(folder, database)] == [AUTHOR, BOOK, PRICE]
