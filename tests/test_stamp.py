"""Stamp: the marks say what a person says, and nothing runs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.databases import Database, rows_of
from tests.support.migrations import AUTHOR, BOOK, PRICE, Folder, held_locks, ledger, library, log, marks
from tests.support.tool import yoyo

MakeDatabase = Callable[[str], Database]


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    """The three migrations of a library."""
    return library(tmp_path)


def stamp(folder: Folder, database: Database, target: str) -> tuple[list[str], list[str]]:
    """What was recorded as applied, and what as not applied."""
    answer = folder.run("--json", "stamp", target, database=database).json()
    assert answer["changed"] is bool(answer["stamped"] or answer["unstamped"])
    return answer["stamped"], answer["unstamped"]


def test_up_marks_the_target_and_all_before_it_and_runs_nothing(database: Database, folder: Folder) -> None:
    assert stamp(folder, database, "two") == ([AUTHOR, BOOK], [])
    assert marks(database) == [AUTHOR, BOOK]
    assert log(database) == [("mark", AUTHOR), ("mark", BOOK)]
    assert database.tables() == set()
    assert held_locks(database) == []


def test_down_unmarks_what_comes_after_the_target_newest_first(database: Database, folder: Folder) -> None:
    folder.run("apply", database=database)
    assert stamp(folder, database, "0.1.0") == ([], [PRICE, BOOK])
    assert marks(database) == [AUTHOR]
    assert log(database)[3:] == [("unmark", PRICE), ("unmark", BOOK)]
    assert database.tables() == {"author", "book"}


def test_base_unmarks_everything(database: Database, folder: Folder) -> None:
    folder.run("apply", database=database)
    assert stamp(folder, database, "base") == ([], [PRICE, BOOK, AUTHOR])
    assert marks(database) == []
    assert database.tables() == {"author", "book"}


def test_nothing_to_do_changes_no_mark_and_is_a_success(database: Database, folder: Folder) -> None:
    folder.run("apply", database=database)
    before = rows_of(database, ["_yoyo_migration", "_yoyo_log", "_maxwell_ledger"])
    assert stamp(folder, database, "head") == ([], [])
    assert rows_of(database, ["_yoyo_migration", "_yoyo_log", "_maxwell_ledger"]) == before
    assert "Nothing to do" in folder.run("stamp", "head", database=database).stdout


def test_an_empty_database_is_stamped_at_head_and_apply_has_nothing_to_do(database: Database, folder: Folder) -> None:
    result = folder.run("stamp", "head", database=database)
    if database.path is not None:
        assert f"{database.path} was not there" in result.stdout + result.stderr
    assert folder.run("apply", database=database).stdout.startswith("Nothing to do")
    assert set(folder.states(database).values()) == {"applied"}


def test_a_wrong_target_makes_no_file(make_database: MakeDatabase, folder: Folder) -> None:
    database = make_database("sqlite")
    assert database.path is not None
    assert folder.error("stamp", "nine", database=database, expect=2)["code"] == "UNKNOWN_TARGET"
    assert not database.path.exists()


def test_after_plain_yoyo_it_goes_both_ways(database: Database, folder: Folder, tmp_path: Path) -> None:
    done = yoyo("apply", database=database, sources=folder.path, cwd=tmp_path)
    assert done.exit_code == 0, done.stderr
    assert stamp(folder, database, BOOK) == ([], [PRICE])
    assert stamp(folder, database, PRICE) == ([PRICE], [])
    listed = yoyo("list", database=database, sources=folder.path, cwd=tmp_path)
    assert [line.split()[:2] for line in listed.stdout.splitlines() if "00" in line] == [
        ["A", AUTHOR], ["A", BOOK], ["A", PRICE]
    ]  # fmt: skip


def test_the_ledger_claims_nothing_of_what_was_only_stamped(database: Database, folder: Folder) -> None:
    folder.run("stamp", "head", database=database)
    assert ledger(database) == {}
    # So an edit cannot be seen, and is not called one.
    folder.add(PRICE, "ALTER TABLE book ADD COLUMN cost INTEGER;\n", depends=BOOK)
    assert folder.states(database)[PRICE] == "applied"


def test_down_and_up_again_records_a_changed_file_as_it_is_now(database: Database, folder: Folder) -> None:
    folder.run("apply", database=database)
    folder.add(PRICE, "ALTER TABLE book ADD COLUMN cost INTEGER;\n", depends=BOOK)
    assert "maxwell-db repair --accept" in folder.error("apply", database=database, expect=6)["hint"]
    stamp(folder, database, BOOK)
    stamp(folder, database, PRICE)
    assert folder.states(database)[PRICE] == "applied"
    folder.run("apply", database=database)


def test_a_missing_file_can_be_unmarked_but_not_marked(database: Database, folder: Folder) -> None:
    folder.run("apply", database=database)
    for suffix in (".sql", ".rollback.sql"):
        (folder.path / f"{PRICE}{suffix}").unlink()
    assert stamp(folder, database, BOOK) == ([], [PRICE])
    folder.run("stamp", PRICE, database=database, expect=2)
    assert marks(database) == [AUTHOR, BOOK]


def test_a_stamped_migration_can_be_rolled_back_by_its_file(database: Database, folder: Folder) -> None:
    folder.run("apply", database=database)
    stamp(folder, database, AUTHOR)
    stamp(folder, database, PRICE)
    folder.run("rollback", "base", "--yes", database=database)
    assert database.tables() == set()
