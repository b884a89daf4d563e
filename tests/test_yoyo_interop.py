"""Still yoyo: the plain ``yoyo`` command works on the same folders and the same database, before and after ours."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from yoyo import read_migrations
from yoyo.migrations import topological_sort

from runner.backend import as_yoyo
from runner.sources.folder import read_folder
from tests.support.databases import Database, rows_of
from tests.support.maxwell_rows import sample_rows
from tests.support.maxwell_schema import NEWEST, migrations_of, raw_catalog
from tests.support.migrations import AUTHOR, BOOK, PRICE, Folder, held_locks, library, log, marks
from tests.support.tool import MAXWELL, ROOT, maxwell_db, yoyo

MakeDatabase = Callable[[str], Database]


@pytest.fixture
def ids(dialect: str) -> list[str]:
    """All of Maxwell's migrations of the dialect, oldest first."""
    return [migration.id for migration in migrations_of(dialect)]


@pytest.fixture
def theirs(tmp_path: Path) -> Callable[..., str]:
    """The real yoyo command on Maxwell's folder; what it printed."""

    def run(command: str, database: Database, *arguments: str, sources: Path | None = None) -> str:
        folder = sources or MAXWELL / database.dialect
        done = yoyo(command, *arguments, database=database, sources=folder, cwd=tmp_path)
        assert done.exit_code == 0, done.stderr
        return done.stdout

    return run


def ours(*arguments: str, database: Database) -> dict[str, Any]:
    result = maxwell_db("--json", *arguments, database=database)
    assert result.exit_code == 0, result.stdout + result.stderr
    return result.json()


def listed(text: str) -> dict[str, str]:
    """What ``yoyo list`` says of each id: A(pplied) or U(napplied)."""
    return {id: letter for letter, id in re.findall(r"^\s*([AU])\s+(\S+)", text, re.MULTILINE)}


# Theirs first.


def test_after_yoyo_apply_ours_has_nothing_to_do(
    database: Database, ids: list[str], theirs: Callable[..., str]
) -> None:
    theirs("apply", database)
    catalog = raw_catalog(database)
    assert ours("apply", database=database)["changed"] is False
    status = ours("status", database=database)
    assert {item["id"]: item["state"] for item in status["migrations"]} == dict.fromkeys(ids, "applied")
    assert status["version"] == NEWEST[database.dialect]
    assert log(database) == [("apply", id) for id in ids]
    assert raw_catalog(database) == catalog


def test_we_go_on_where_yoyo_stopped_and_run_nothing_twice(
    database: Database, ids: list[str], theirs: Callable[..., str]
) -> None:
    theirs("apply", database, "--revision", ids[2])
    database.script(sample_rows("1.0.2"))
    rows = rows_of(database, ["manuscripts", "snapshots", "variants"])
    answer = ours("apply", database=database)
    assert [item["id"] for item in answer["applied"]] == ids[3:]
    assert log(database) == [("apply", id) for id in ids]
    assert rows_of(database, list(rows)) == rows
    assert listed(theirs("list", database)) == dict.fromkeys(ids, "A")


def test_we_take_back_what_yoyo_applied(database: Database, ids: list[str], theirs: Callable[..., str]) -> None:
    theirs("apply", database)
    database.script(sample_rows("1.3.0"))
    answer = ours("rollback", "1.0.2", "--yes", database=database)
    assert [item["id"] for item in answer["rolled_back"]] == ids[:2:-1]
    assert listed(theirs("list", database)) == dict.fromkeys(ids[:3], "A") | dict.fromkeys(ids[3:], "U")
    theirs("apply", database)
    assert marks(database) == ids


# Ours first.


def test_after_ours_yoyo_list_shows_all_applied_and_apply_does_nothing(
    database: Database, ids: list[str], theirs: Callable[..., str]
) -> None:
    ours("apply", database=database)
    assert listed(theirs("list", database)) == dict.fromkeys(ids, "A")
    before = rows_of(database, ["_yoyo_migration", "_yoyo_log", "_yoyo_version", "yoyo_lock", "_maxwell_ledger"])
    theirs("apply", database)
    assert rows_of(database, list(before)) == before


def test_yoyo_takes_back_what_we_applied_and_applies_it_again(
    database: Database, ids: list[str], theirs: Callable[..., str]
) -> None:
    ours("apply", database=database)
    catalog = raw_catalog(database)
    theirs("rollback", database, "--revision", ids[3])
    assert marks(database) == ids[:3]
    assert ours("status", database=database)["version"] == "1.0.2"
    assert ours("status", database=database)["pending"] == len(ids) - 3
    theirs("apply", database)
    assert raw_catalog(database) == catalog
    states = {item["id"]: item["state"] for item in ours("status", database=database)["migrations"]}
    assert states == dict.fromkeys(ids, "applied")
    theirs("rollback", database, "--all")
    assert raw_catalog(database) == []
    assert ours("apply", database=database)["version"] == NEWEST[database.dialect]
    assert raw_catalog(database) == catalog


def test_yoyo_mark_and_our_stamp_are_the_same_thing(
    database: Database, ids: list[str], theirs: Callable[..., str]
) -> None:
    theirs("mark", database, "--revision", ids[1])
    assert ours("status", database=database)["version"] == "1.0.1"
    assert ours("stamp", "1.1.0", "--force", database=database)["stamped"] == ids[2:4]
    assert listed(theirs("list", database)) == dict.fromkeys(ids[:4], "A") | dict.fromkeys(ids[4:], "U")
    theirs("unmark", database, "--revision", ids[3])
    assert ours("status", database=database)["version"] == "1.0.2"
    assert held_locks(database) == []


def test_taking_turns_leaves_the_same_rows_as_either_alone(
    database: Database, ids: list[str], make_database: MakeDatabase, theirs: Callable[..., str]
) -> None:
    alone = make_database(database.dialect)
    theirs("apply", alone)
    theirs("rollback", alone, "--revision", ids[-1])
    theirs("apply", alone)

    ours("apply", "1.0.0", database=database)
    theirs("apply", database, "--revision", ids[3])
    ours("apply", database=database)
    ours("rollback", "--yes", database=database)
    theirs("apply", database)

    assert bare_rows(database) == bare_rows(alone)
    assert raw_catalog(database) == raw_catalog(alone)


def bare_rows(database: Database) -> dict[str, list[tuple[Any, ...]]]:
    """yoyo's rows but for times, ids and host."""
    return {
        "mark": database.query("SELECT migration_hash, migration_id FROM _yoyo_migration ORDER BY migration_id"),
        "log": database.query(
            "SELECT migration_hash, migration_id, operation, username, comment FROM _yoyo_log ORDER BY created_at_utc"
        ),
        "version": database.query("SELECT version FROM _yoyo_version"),
        "lock": database.query("SELECT * FROM yoyo_lock"),
    }


def test_a_file_that_sqlparse_misreads_is_ours_to_apply_and_yoyos_to_list(
    database: Database, tmp_path: Path, theirs: Callable[..., str]
) -> None:
    folder = Folder(tmp_path / "own")
    folder.add("001", 'CREATE TABLE t ("begin" INTEGER);\nCREATE TABLE u (n INTEGER);\n-- the end\n', "DROP TABLE t;\n")
    folder.run("apply", database=database)
    assert database.tables() == {"t", "u"}
    assert listed(theirs("list", database, sources=folder.path)) == {"001": "A"}


# Order and the two dialects in one process.


@pytest.mark.parametrize("folder", ["maxwell", "library", "unlinked"])
def test_our_order_is_yoyos(dialect: str, tmp_path: Path, folder: str) -> None:
    path = MAXWELL / dialect
    if folder == "library":
        path = library(tmp_path).path
    if folder == "unlinked":
        own = Folder(tmp_path / "own")
        for id in ("0010_z", "0002_b", "0001_a", "0002_a", "0100"):
            own.add(id, "SELECT 1;")
        own.add("0050", "SELECT 1;", depends="0001_a 0010_z")
        path = own.path
    read = read_migrations(str(path))
    for migration in read:
        migration.load()
    theirs = [migration.id for migration in topological_sort(read)]
    assert [migration.id for migration in read_folder(path, dialect)] == theirs  # type: ignore[arg-type]


def test_two_dialect_folders_in_one_process_do_not_mix(make_database: MakeDatabase, tmp_path: Path) -> None:
    # Where yoyo's class-wide registry answers, the first folder's '-- depends:' leads into the second.
    folders = {}
    for dialect in ("sqlite", "postgres"):
        own = folders[dialect] = Folder(tmp_path / "both" / dialect)
        own.add("001", f"CREATE TABLE from_{dialect} (n INTEGER);", f"DROP TABLE from_{dialect};")
        own.add("002", f"INSERT INTO from_{dialect} VALUES (1);", f"DELETE FROM from_{dialect};", depends="001")
    lists = {dialect: as_yoyo(read_folder(own.path, dialect)) for dialect, own in folders.items()}  # type: ignore[arg-type]
    for dialect, migrations in lists.items():
        for migration in migrations:
            migration.load()
            assert all(needed in list(migrations) for needed in migration.depends), dialect
    for dialect in ("sqlite", "postgres", "sqlite"):
        database = make_database(dialect)
        result = maxwell_db("apply", database=database, sql=tmp_path / "both")
        assert result.exit_code == 0, result.stderr
        assert database.tables() == {f"from_{dialect}"}
        assert marks(database) == ["001", "002"]


def test_our_migrations_are_left_as_they_were_for_yoyo_in_the_same_process(
    make_database: MakeDatabase, tmp_path: Path
) -> None:
    database, folder = make_database("sqlite"), library(tmp_path)
    folder.run("apply", BOOK, database=database)
    from yoyo import get_backend

    with get_backend(database.url) as backend:
        pending = backend.to_apply(read_migrations(str(folder.path)))
        assert [migration.id for migration in pending] == [PRICE]
        with backend.lock():
            backend.apply_migrations(pending)
    assert folder.states(database) == {AUTHOR: "applied", BOOK: "applied", PRICE: "applied"}


_ASLEEP = """
import sys
import runner.backend
assert not {"sqlparse", "importlib_metadata"} & set(sys.modules), sorted(sys.modules)
import yoyo.migrations, yoyo.backends.base
assert yoyo.migrations.sqlparse.split("SELECT 1; SELECT 2") == ["SELECT 1;", "SELECT 2"]
assert yoyo.backends.base.get_backend_class("sqlite").__name__ == "SQLiteBackend"
import sqlparse, importlib_metadata
assert sqlparse.__file__ and importlib_metadata.__file__
"""


def test_what_yoyo_imports_sleeps_until_it_is_called() -> None:
    subprocess.run([sys.executable, "-c", _ASLEEP], cwd=ROOT, check=True)
