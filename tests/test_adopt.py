"""``adopt``: a database that Alembic itself made becomes ours if it has the very schema; if not, it is said why."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from runner.operations import adopt as operation
from tests.support import alembic
from tests.support.databases import Database, rows_of
from tests.support.folders import all_tables
from tests.support.maxwell_rows import sample_rows
from tests.support.maxwell_schema import NEWEST
from tests.support.migrations import AUTHOR, BOOK, Folder, bookkeeping, library, log, marks
from tests.support.tool import MAXWELL, Result, maxwell_db, yoyo

MakeDatabase = Callable[[str], Database]

IDS = sorted(path.stem for path in (MAXWELL / "sqlite").glob("*.sql") if ".rollback" not in path.name)
HALF_WAY = "No support for ALTER of constraints in SQLite dialect"


@pytest.fixture
def same(tmp_path: Path, dialect: str) -> Path:
    """Alembic's environment whose revisions make our very schema."""
    return alembic.own_environment(tmp_path / "same", MAXWELL, dialect)


def adopt(database: Database, *arguments: str, expect: int = 0) -> dict[str, Any]:
    result = maxwell_db("--json", "adopt", *arguments, database=database)
    assert result.exit_code == expect, result.stdout + result.stderr
    return result.json()


def refused(database: Database, *arguments: str) -> dict[str, Any]:
    """The answer of an adoption that must fail for the schema; it leaves everything as it was."""
    before = all_there_is(database)
    answer = adopt(database, *arguments, expect=6)
    assert answer["error"]["code"] == "SCHEMA_MISMATCH"
    assert all_there_is(database) == before
    return answer


def all_there_is(database: Database) -> object:
    return all_tables(database), rows_of(database, sorted(all_tables(database)))


def run(database: Database, statements: list[str]) -> None:
    """What a person does with the SQL that was told."""
    with database.connect() as connection, closing(connection.cursor()) as cursor:
        for statement in statements:
            cursor.execute(statement)


def names(answer: dict[str, Any], problem: str | None = None) -> set[str]:
    return {f"{one['kind']} {one['name']}" for one in answer["differences"] if problem in (None, one["problem"])}


# The very schema.


@pytest.mark.parametrize("revision", ["004_add_codex", "006_add_coach"])
def test_a_database_with_the_very_schema_is_adopted_and_goes_on(
    database: Database, same: Path, revision: str, tmp_path: Path
) -> None:
    alembic.upgrade(database, revision, same)
    database.script(sample_rows("1.1.0"))
    tables = sorted(database.tables() - {"alembic_version"})
    rows = rows_of(database, tables)
    answer = adopt(database)
    count = int(revision[:3])
    assert (answer["changed"], answer["revision"], answer["stamped"]) == (True, revision, IDS[:count])
    assert (answer["compared"], answer["differences"], answer["closing"]) == (True, [], [])
    assert marks(database) == IDS[:count] and log(database) == [("mark", id) for id in IDS[:count]]
    assert database.query("SELECT version_num FROM alembic_version") == [(revision,)]
    maxwell_db("apply", database=database)
    status = maxwell_db("--json", "status", database=database).json()
    assert (status["version"], status["pending"]) == (NEWEST[database.dialect], 0)
    assert {table: found for table, found in rows_of(database, tables).items() if table != "scenes"} == {
        table: found for table, found in rows.items() if table != "scenes"
    }
    assert maxwell_db("verify", database=database, sql=None).exit_code == 0
    assert maxwell_db("drift", database=database).exit_code == 0
    listed = yoyo("list", database=database, sources=MAXWELL / database.dialect, cwd=tmp_path)
    assert [line.split()[:2] for line in listed.stdout.splitlines() if line.startswith(("A ", "U "))] == [
        ["A", id] for id in marks(database)
    ]
    assert set(IDS) <= set(marks(database))
    assert maxwell_db("rollback", "base", "--yes", database=database).exit_code == 0


def test_a_dry_run_compares_and_writes_nothing(database: Database, same: Path) -> None:
    alembic.upgrade(database, "002_add_scenes", same)
    before = all_there_is(database)
    answer = adopt(database, "--dry-run")
    assert (answer["changed"], answer["dry_run"], answer["stamped"]) == (False, True, IDS[:2])
    text = maxwell_db("adopt", "--dry-run", database=database).stdout
    assert text.startswith("Would record as applied, up to version 1.0.1 (002_add_scenes)")
    assert all_there_is(database) == before and bookkeeping(database) == set()
    database.script("ALTER TABLE scenes ADD COLUMN mine INTEGER")
    assert refused(database, "--dry-run")


def test_what_to_do_with_alembics_own_table_is_said(database: Database, same: Path) -> None:
    alembic.upgrade(database, "001_initial", same)
    text = maxwell_db("adopt", database=database).stdout
    assert "The database has the schema of version 1.0.0 (001_initial)." in text
    database.script(text.rpartition(": ")[2])
    assert "alembic_version" not in all_tables(database)
    assert maxwell_db("apply", database=database).exit_code == 0


def test_at_says_the_version_whatever_alembic_says(database: Database, same: Path) -> None:
    alembic.upgrade(database, "003_add_versioning", same)
    database.script("UPDATE alembic_version SET version_num = 'c0ffee123456'")
    error = adopt(database, expect=2)["error"]
    assert error["code"] == "UNKNOWN_REVISION" and "003_add_versioning" in error["hint"] and "--at" in error["hint"]
    refused(database, "--at", "1.0.1")
    assert adopt(database, "--at", "1.0.2")["stamped"] == IDS[:3]


def test_a_beginning_of_our_revision_will_do(database: Database, same: Path) -> None:
    alembic.upgrade(database, "003_add_versioning", same)
    database.script("UPDATE alembic_version SET version_num = '003'")
    assert adopt(database)["stamped"] == IDS[:3]


def test_somebodys_own_migrations(database: Database, tmp_path: Path) -> None:
    folder = library(tmp_path)
    folder.run("apply", BOOK, database=database)
    database.script("".join(f"DROP TABLE {table};" for table in sorted(bookkeeping(database))))
    database.script(
        "CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL);INSERT INTO alembic_version VALUES ('two')"
    )
    answer = folder.run("--json", "adopt", database=database).json()
    assert answer["stamped"] == [AUTHOR, BOOK] and answer["version"] == "0.2.0"


def test_a_later_version_s_schema_is_recognised(database: Database, same: Path) -> None:
    alembic.upgrade(database, "005_add_timeline", same)
    database.script("UPDATE alembic_version SET version_num = '003_add_versioning'")
    hint = refused(database)["error"]["hint"]
    assert hint.endswith(f"maxwell-db adopt --at {IDS[4]}")
    adopt(database, "--at", IDS[4])


# The plan's own revisions, which leave defaults and updated_at to the application.


def test_the_plans_database_differs_in_what_it_left_to_sqlalchemy(make_database: MakeDatabase) -> None:
    database = make_database("postgres")
    alembic.upgrade(database, "head")
    database.script(sample_rows("1.3.0"))
    answer = refused(database)
    assert {one["kind"] for one in answer["differences"]} == {"column", "trigger", "function"}
    assert "column variants.is_main" in names(answer, "different")
    assert "trigger manuscripts_touch_updated_at on manuscripts" in names(answer, "missing")
    assert answer["left"] == []
    run(database, answer["closing"])
    adopted = adopt(database)
    assert (adopted["stamped"], adopted["differences"]) == (IDS, [])
    assert maxwell_db("drift", database=database).exit_code == 0
    assert maxwell_db("rollback", "base", "--yes", database=database).exit_code == 0


def test_on_sqlite_too_and_force_adopts_with_what_no_statement_closes(make_database: MakeDatabase) -> None:
    database = make_database("sqlite")
    alembic.upgrade(database, "003_add_versioning")
    answer = refused(database)
    assert names(answer) == {
        "column manuscripts.word_count",
        "column scenes.word_count",
        "column variants.is_main",
        "trigger manuscripts_touch_updated_at on manuscripts",
    }
    run(database, answer["closing"])
    left = refused(database)
    assert names(left) == set(left["left"]) == set(answer["left"]) and left["closing"] == []
    assert "--force" in left["error"]["hint"]
    forced = adopt(database, "--force")
    assert (forced["stamped"], names(forced)) == (IDS[:3], set(answer["left"]))
    assert maxwell_db("apply", database=database).exit_code == 0
    assert maxwell_db("--json", "status", database=database).json()["pending"] == 0
    assert maxwell_db("verify", database=database, sql=None).exit_code == 0


def test_a_database_that_alembic_left_half_way(make_database: MakeDatabase) -> None:
    database = make_database("sqlite")
    with pytest.raises(NotImplementedError, match=HALF_WAY):
        alembic.upgrade(database, "head")
    assert database.query("SELECT version_num FROM alembic_version") == [("003_add_versioning",)]
    answer = refused(database)
    assert names(answer, "unexpected") == {
        "table entities",
        "table entity_suggestions",
        "table relationships",
        "column scenes.pov_character_fk",
    }
    message = answer["error"]["message"]
    assert "version 1.0.2 (003_add_versioning)" in message and "half way" in message
    assert "Of 004_add_codex there is a part already" in message and "relationships" in message
    assert 'DROP TABLE "relationships";  -- 0 rows' in answer["closing"]
    text = maxwell_db("adopt", database=database).stderr
    assert "SQL above takes the part away" in text and 'ALTER TABLE "scenes" DROP COLUMN' in text
    run(database, answer["closing"])
    forced = adopt(database, "--force")  # three defaults are left
    assert len(forced["differences"]) == 3
    assert maxwell_db("apply", database=database).exit_code == 0
    assert maxwell_db("--json", "status", database=database).json()["version"] == "1.3.0"
    assert maxwell_db("verify", database=database, sql=None).exit_code == 0


def test_the_rows_of_a_table_that_would_be_dropped_are_counted(make_database: MakeDatabase) -> None:
    database = make_database("sqlite")
    with pytest.raises(NotImplementedError, match=HALF_WAY):
        alembic.upgrade(database, "head")
    database.script("INSERT INTO entities (id, type, name) VALUES ('e', 'ITEM', 'a lamp')")
    assert 'DROP TABLE "entities";  -- 1 row' in refused(database)["closing"]


def test_the_spelling_of_a_type_is_no_difference_to_sqlite_and_one_to_postgres(
    database: Database, tmp_path: Path
) -> None:
    folder = library(tmp_path)
    database.script(
        "CREATE TABLE author (id INTEGER NOT NULL PRIMARY KEY, name TEXT NOT NULL UNIQUE);"
        "CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL);INSERT INTO alembic_version VALUES ('one')"
    )
    answer = folder.run("--json", "adopt", database=database, expect=0 if database.path else 6).json()
    if database.path:
        assert "author.name" in answer["notes"][0] and answer["stamped"] == [AUTHOR]
    else:
        assert names(answer) == {"column author.name"}
        assert answer["closing"] == [
            'ALTER TABLE "author" ALTER COLUMN "name" TYPE character varying(100) USING "name"::character varying(100);'
        ]


EVERYTHING = """
CREATE TABLE "Mixed Case" ("Id" INTEGER NOT NULL PRIMARY KEY);
CREATE TABLE "Child" (
    "Of" INTEGER, CONSTRAINT "Once" UNIQUE ("Of"),
    CONSTRAINT "OfMixed" FOREIGN KEY ("Of") REFERENCES "Mixed Case" ("Id")
);
CREATE TABLE parent (id INTEGER NOT NULL PRIMARY KEY, code INTEGER);
CREATE TABLE child (
    id INTEGER NOT NULL PRIMARY KEY, parent INTEGER, gone INTEGER, size INTEGER DEFAULT 1, word VARCHAR(10) NOT NULL,
    CONSTRAINT of_parent FOREIGN KEY (parent) REFERENCES parent (id) ON DELETE CASCADE,
    CONSTRAINT small CHECK (size < 10),
    CONSTRAINT one_word UNIQUE (word)
);
CREATE INDEX by_size ON child (size);
CREATE VIEW words AS SELECT word FROM child;
"""
OTHERWISE = """
CREATE TABLE "Mixed Case" ("Id" INTEGER NOT NULL PRIMARY KEY);
CREATE TABLE "Child" ("Of" BIGINT, CONSTRAINT "Twice" UNIQUE ("Of"));
CREATE INDEX "ByOf" ON "Child" ("Of");
CREATE TABLE parent (id INTEGER NOT NULL PRIMARY KEY, code INTEGER, more INTEGER);
CREATE TABLE child (
    id INTEGER NOT NULL PRIMARY KEY, parent INTEGER, size BIGINT NOT NULL DEFAULT 2, word VARCHAR(10),
    CONSTRAINT of_parent FOREIGN KEY (parent) REFERENCES parent (id),
    CONSTRAINT tiny CHECK (size < 5)
);
CREATE INDEX by_size ON child (word);
CREATE INDEX by_code ON parent (code);
CREATE TABLE grandchild (child INTEGER REFERENCES child (id));
CREATE TABLE great_grandchild (id INTEGER);
"""


def test_what_a_statement_can_close_is_closed_and_the_rest_is_named(
    make_database: MakeDatabase, tmp_path: Path
) -> None:
    database = make_database("postgres")
    folder = Folder(tmp_path / "own")
    folder.add("001", EVERYTHING, "DROP VIEW words; DROP TABLE child; DROP TABLE parent;\n", revision="all")
    database.script(
        f"{OTHERWISE} CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL);"
        "INSERT INTO alembic_version VALUES ('all')"
    )
    answer = folder.run("--json", "adopt", database=database, expect=6).json()
    assert answer["left"] == ["view words"]
    run(database, answer["closing"])
    database.script("CREATE VIEW words AS SELECT word FROM child")
    again = folder.run("--json", "adopt", database=database, expect=6).json()
    # The column that was added stands last, and nothing moves it.
    assert names(again) == {"column order of child"} and again["closing"] == []
    assert folder.run("adopt", "--force", database=database).exit_code == 0


# What is refused before anything is compared.


def test_a_database_that_alembic_did_not_make(database: Database) -> None:
    database.script("CREATE TABLE mine (id INTEGER)")
    error = adopt(database, expect=2)["error"]
    assert error["code"] == "NOT_ALEMBIC" and "maxwell-db stamp" in error["hint"]


def test_several_heads_and_none(database: Database, same: Path) -> None:
    alembic.upgrade(database, "001_initial", same)
    database.script("INSERT INTO alembic_version VALUES ('another')")
    error = adopt(database, expect=2)["error"]
    assert error["code"] == "SEVERAL_HEADS" and "001_initial, another" in error["message"]
    database.script("DELETE FROM alembic_version")
    assert adopt(database, expect=2)["error"]["code"] == "UNKNOWN_REVISION"
    assert adopt(database, "--at", "1.0.0")["revision"] is None


def test_a_database_that_has_our_marks(database: Database, same: Path) -> None:
    alembic.upgrade(database, "001_initial", same)
    adopt(database)
    before = all_there_is(database)
    error = adopt(database, "--force", expect=2)["error"]
    assert error["code"] == "ALREADY_MANAGED" and "maxwell-db stamp" in error["hint"]
    assert all_there_is(database) == before


def test_a_missing_file_stays_missing(make_database: MakeDatabase) -> None:
    database = make_database("sqlite")
    assert adopt(database, expect=2)["error"]["code"] == "NO_SUCH_DATABASE"
    assert database.path is not None and not database.path.exists()


def test_a_change_between_the_comparison_and_the_lock_is_noticed(
    database: Database, same: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    alembic.upgrade(database, "002_add_scenes", same)
    original = operation.set_marks

    def late(*arguments: Any, **options: Any) -> Any:
        database.script("DROP INDEX idx_scenes_manuscript")
        return original(*arguments, **options)

    monkeypatch.setattr(operation, "set_marks", late)
    assert names(adopt(database, expect=6)) == {"index idx_scenes_manuscript on scenes"}
    assert marks(database) == []


def test_where_nothing_can_be_compared_force_still_records(make_database: MakeDatabase, tmp_path: Path) -> None:
    database = make_database("postgres")
    alembic.upgrade(database, "001_initial", alembic.own_environment(tmp_path / "same", MAXWELL, "postgres"))
    nowhere = ("--scratch", "postgresql://127.0.0.1:1/nowhere")
    error = adopt(database, *nowhere, expect=1)["error"]
    assert "--force" in error["hint"] and bookkeeping(database) == set()
    answer = adopt(database, *nowhere, "--force")
    assert (answer["compared"], answer["stamped"]) == (False, IDS[:1]) and "not compared" in answer["notes"][0]


def test_the_text_of_a_refusal_ends_with_what_to_do(make_database: MakeDatabase) -> None:
    database = make_database("sqlite")
    alembic.upgrade(database, "001_initial")
    result: Result = maxwell_db("adopt", database=database)
    assert result.stdout == "" and result.exit_code == 6
    assert result.stderr.splitlines()[-1].startswith("hint: ") and "CREATE TRIGGER" in result.stderr
