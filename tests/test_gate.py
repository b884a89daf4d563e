"""Verify after each apply: what a migration broke is named; behind the gate it never is committed."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.databases import Database
from tests.support.migrations import AUTHOR, BOOK, PRICE, Folder, held_locks, ledger, library, marks

MakeDatabase = Callable[[str], Database]

BREAKS = "004_breaks"
LATER = "005_later"
PRICED = """\
-- check: priced
-- severity: {severity}
-- requires: book.price
-- Every book has a price.
SELECT 'book' AS table_name, b.id AS row_key, 'no price' AS detail FROM book AS b WHERE b.price IS NULL
"""


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    """The three migrations of a library, and two more, of which the first makes a book without a price."""
    folder = library(tmp_path)
    folder.add(
        BREAKS,
        "CREATE TABLE shelf (id INTEGER NOT NULL PRIMARY KEY);\nINSERT INTO book (id, author_id) VALUES (7, 1);\n",
        "DELETE FROM book WHERE id = 7;\nDROP TABLE shelf;\n",
        depends=PRICE,
        expect_row_loss="book",
    )
    folder.add(LATER, "CREATE TABLE later (n INTEGER);\n", "DROP TABLE later;\n", depends=BREAKS)
    return folder


@pytest.fixture
def checks(tmp_path: Path) -> list[str]:
    """The option that names a check of the user's own: every book has a price."""
    return check_folder(tmp_path, "error")


def check_folder(parent: Path, severity: str) -> list[str]:
    folder = parent / f"checks_{severity}"
    folder.mkdir()
    (folder / "priced.sql").write_text(PRICED.format(severity=severity))
    return ["--checks", str(folder)]


def broken_by(answer: dict[str, Any]) -> list[str]:
    return [check["name"] for check in answer["verify"]["checks"] if check["status"] == "failed"]


# What a migration breaks.


def test_behind_the_gate_what_breaks_the_data_is_not_there(
    database: Database, folder: Folder, checks: list[str]
) -> None:
    answer = folder.run("--json", "apply", "--gate", *checks, database=database, expect=4).json()
    error = answer["error"]
    assert error["code"] == "GATE_CLOSED"
    assert error["file"] == str(folder.path / f"{BREAKS}.sql")
    assert "priced (1): book 7: no price" in error["message"]
    assert broken_by(answer) == ["priced"]
    # The earlier migrations of the run stay; of this one neither table nor row nor mark is there.
    assert [item["id"] for item in answer["applied"]] == [AUTHOR, BOOK, PRICE]
    assert marks(database) == [AUTHOR, BOOK, PRICE] == list(ledger(database))
    assert database.tables() == {"author", "book"}
    assert database.value("SELECT count(*) FROM book") == 0
    assert held_locks(database) == []


def test_the_next_run_meets_the_gate_again_and_passes_when_corrected(
    database: Database, folder: Folder, checks: list[str]
) -> None:
    folder.run("apply", "--gate", *checks, database=database, expect=4)
    folder.run("apply", "--gate", *checks, database=database, expect=4)
    folder.add(BREAKS, "INSERT INTO book (id, author_id, price) VALUES (7, 1, 12);\n", depends=PRICE)
    answer = folder.run("--json", "apply", "--gate", *checks, database=database).json()
    assert [item["id"] for item in answer["applied"]] == [BREAKS, LATER]
    assert {row["verify"] for row in ledger(database).values()} == {"passed"}


def test_without_the_gate_the_run_is_committed_and_the_error_names_the_way_back(
    database: Database, folder: Folder, checks: list[str]
) -> None:
    folder.run("apply", BOOK, database=database)
    answer = folder.run("--json", "apply", *checks, database=database, expect=4).json()
    assert answer["error"]["code"] == "VIOLATIONS_FOUND"
    assert "priced (1): book 7: no price" in answer["error"]["message"]
    assert [item["id"] for item in answer["applied"]] == [PRICE, BREAKS, LATER]
    assert marks(database) == [AUTHOR, BOOK, PRICE, BREAKS, LATER]
    assert {id: row["verify"] for id, row in ledger(database).items()} == {
        AUTHOR: "passed", BOOK: "passed", PRICE: "failed", BREAKS: "failed", LATER: "failed"
    }  # fmt: skip
    folder.run(*command_in(answer["error"]["hint"]), "--yes", database=database)
    assert marks(database) == [AUTHOR, BOOK]
    assert database.tables() == {"author", "book"}


def command_in(hint: str) -> list[str]:
    """The command that a hint names, without the program's name."""
    found = re.search(r"maxwell-db (rollback [\w.-]+)", hint)
    assert found, hint
    return shlex.split(found[1])


def test_the_way_back_from_the_first_run_is_to_base(database: Database, folder: Folder, checks: list[str]) -> None:
    error = folder.error("apply", *checks, database=database, expect=4)
    assert command_in(error["hint"]) == ["rollback", "base"]
    folder.run("rollback", "base", "--yes", database=database)
    assert database.tables() == set()


def test_the_way_back_of_a_late_migration_takes_it_back(database: Database, folder: Folder, checks: list[str]) -> None:
    folder.add("005_later", "CREATE TABLE later (n INTEGER);\n", "DROP TABLE later;\n")
    for suffix in (".sql", ".rollback.sql"):
        (folder.path / f"{BREAKS}{suffix}").rename(folder.path.parent / f"{BREAKS}{suffix}")
    folder.run("apply", *checks, database=database)
    for suffix in (".sql", ".rollback.sql"):
        (folder.path.parent / f"{BREAKS}{suffix}").rename(folder.path / f"{BREAKS}{suffix}")
    error = folder.error("apply", "--allow-out-of-order", *checks, database=database, expect=4)
    folder.run(*command_in(error["hint"]), "--yes", database=database)
    assert BREAKS not in marks(database)
    assert database.value("SELECT count(*) FROM book") == 0


def test_a_gate_that_closes_late_keeps_what_passed_it(database: Database, folder: Folder, checks: list[str]) -> None:
    folder.run("apply", PRICE, "--gate", *checks, database=database)
    answer = folder.run("--json", "apply", "--gate", *checks, database=database, expect=4).json()
    assert answer["applied"] == []
    assert marks(database) == [AUTHOR, BOOK, PRICE]


# Old and new.


@pytest.mark.parametrize("gate", [(), ("--gate",)])
def test_a_violation_that_was_there_before_does_not_fail_an_apply(
    database: Database, folder: Folder, checks: list[str], gate: tuple[str, ...]
) -> None:
    folder.run("apply", BREAKS, "--no-verify", database=database)
    answer = folder.run("--json", "apply", *gate, *checks, database=database).json()
    assert [item["id"] for item in answer["applied"]] == [LATER]
    assert broken_by(answer) == ["priced"], "it has to be reported all the same"
    assert ledger(database)[LATER]["verify"] == "passed"


@pytest.mark.parametrize("gate", [(), ("--gate",)])
def test_a_new_violation_beside_old_ones_fails(
    database: Database, folder: Folder, checks: list[str], gate: tuple[str, ...]
) -> None:
    folder.run("apply", "--no-verify", database=database)
    database.script("INSERT INTO book (id, author_id) VALUES (1, 1), (2, 1), (3, 1), (4, 1), (5, 1), (6, 1)")
    folder.add("006", "INSERT INTO book (id, author_id) VALUES (99, 1);")
    answer = folder.run("--json", "apply", *gate, *checks, database=database, expect=4).json()
    assert "priced (1): book 99: no price" in answer["error"]["message"]
    assert marks(database).count("006") == (0 if gate else 1)


def test_one_mended_and_another_broken_is_a_new_violation(
    database: Database, folder: Folder, checks: list[str]
) -> None:
    folder.run("apply", "--no-verify", database=database)
    folder.add("006", "UPDATE book SET price = 1 WHERE id = 7;\nINSERT INTO book (id, author_id) VALUES (8, 1);")
    error = folder.error("apply", "--gate", *checks, database=database, expect=4)
    assert "book 8" in error["message"]
    assert "book 7" not in error["message"]


def test_what_one_migration_breaks_and_a_later_one_mends_passes_without_the_gate_only(
    database: Database, folder: Folder, checks: list[str]
) -> None:
    folder.add("006", "UPDATE book SET price = 1;")
    folder.run("apply", "--gate", *checks, database=database, expect=4)
    folder.run("apply", *checks, database=database)
    assert marks(database)[-1] == "006"


# Which checks.


def test_no_verify_runs_no_checks(database: Database, folder: Folder, checks: list[str]) -> None:
    answer = folder.run("--json", "apply", "--no-verify", *checks, database=database).json()
    assert answer["verify"] is None
    assert marks(database)[-1] == LATER
    assert {row["verify"] for row in ledger(database).values()} == {None}


@pytest.mark.parametrize("gate", [(), ("--gate",)])
def test_a_warning_is_reported_and_closes_no_gate(
    database: Database, folder: Folder, tmp_path: Path, gate: tuple[str, ...]
) -> None:
    answer = folder.run("--json", "apply", *gate, *check_folder(tmp_path, "warn"), database=database).json()
    assert answer["ok"] is True
    assert broken_by(answer) == ["priced"]
    assert marks(database)[-1] == LATER


def test_a_check_is_skipped_until_its_table_is_there(database: Database, folder: Folder, checks: list[str]) -> None:
    answer = folder.run("--json", "apply", BOOK, "--gate", *checks, database=database).json()
    (priced,) = [check for check in answer["verify"]["checks"] if check["name"] == "priced"]
    assert priced["status"] == "skipped"


def test_a_check_of_ones_own_that_cannot_run_stops_before_anything_is_applied(
    database: Database, folder: Folder, tmp_path: Path
) -> None:
    option = check_folder(tmp_path, "error")
    Path(option[1], "bad.sql").write_text(
        "-- check: bad\n-- severity: error\n-- It is broken.\nSELECT nowhere AS table_name, 1 AS row_key, 2 AS detail\n"
    )
    error = folder.error("apply", *option, database=database, expect=1)
    assert error["file"] == str(Path(option[1], "bad.sql"))
    assert marks(database) == []


def test_undeclared_orphans_are_found_behind_the_gate(make_database: MakeDatabase, folder: Folder) -> None:
    database = make_database("postgres")
    folder.run("apply", PRICE, database=database)
    folder.add(
        BREAKS,
        "ALTER TABLE book DISABLE TRIGGER ALL;\nINSERT INTO book (id, author_id, price) VALUES (5, 99, 1);\n"
        "ALTER TABLE book ENABLE TRIGGER ALL;\n",
    )
    error = folder.error("apply", "--gate", database=database, expect=4)
    assert "orphan:" in error["message"]
    assert "book 5" in error["message"]
    assert database.value("SELECT count(*) FROM book") == 0


def test_what_a_failed_run_committed_is_verified_too(database: Database, folder: Folder, checks: list[str]) -> None:
    folder.add(LATER, "CREATE TABLE later (n INTEGER;\n", "DROP TABLE later;\n", depends=BREAKS)
    error = folder.error("apply", *checks, database=database, expect=1)
    assert error["code"] == "STATEMENT_FAILED" and error["file"] == str(folder.path / f"{LATER}.sql")
    assert "Besides, the data is broken since this run: priced (1): book 7: no price" in error["message"]
    assert "maxwell-db rollback base" in error["hint"]
    assert ledger(database)[BREAKS]["verify"] == "failed"
