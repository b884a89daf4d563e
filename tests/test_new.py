"""new begins a migration: its files are named, linked and numbered, and each pattern runs as it is written."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from runner.catalog import Catalog, read_catalog
from runner.domain.ddl import effects
from runner.domain.names import identifier
from runner.domain.rebuild import with_constraint, with_type
from runner.errors import FolderError
from runner.operations.new import new
from runner.operations.pattern_values import Choice
from runner.patterns import PATTERNS
from tests.support.databases import Database, rows_of
from tests.support.linting import HEAD, Reviewed
from tests.support.tool import MAXWELL, Result, maxwell_db

MakeDatabase = Callable[[str], Database]
NOW = datetime.now(UTC).strftime("%Y%m%d")

TABLES = {
    "sqlite": "CREATE TABLE owner (id INTEGER NOT NULL PRIMARY KEY, name TEXT);\n"
    "CREATE TABLE notes (\n    id INTEGER NOT NULL PRIMARY KEY,\n    body TEXT,\n    data TEXT,\n"
    "    owner_id INTEGER,\n"
    "    size INTEGER NOT NULL DEFAULT 0,  -- in bytes, or so\n    CHECK (size >= 0)\n);\n"
    "CREATE TABLE tag (note_id INTEGER NOT NULL PRIMARY KEY REFERENCES notes (id) ON DELETE CASCADE, word TEXT);\n"
    "CREATE TABLE journal (note_id INTEGER NOT NULL);\n"
    "CREATE INDEX notes_size ON notes (size);\n"
    "CREATE VIEW bodies AS SELECT id, body FROM notes;\n"
    "CREATE TRIGGER notes_written AFTER UPDATE OF size ON notes BEGIN INSERT INTO journal VALUES (NEW.id); END;\n"
    "CREATE TRIGGER tag_taken AFTER DELETE ON tag\n"
    "BEGIN\n    UPDATE notes SET size = size + 1 WHERE id = OLD.note_id;\nEND;\n",
    "postgres": "CREATE TABLE owner (id INTEGER NOT NULL PRIMARY KEY, name TEXT);\n"
    "CREATE TABLE notes (\n    id INTEGER NOT NULL PRIMARY KEY,\n    body TEXT,\n    data TEXT,\n"
    "    owner_id INTEGER,\n"
    "    size INTEGER NOT NULL DEFAULT 0,\n    CHECK (size >= 0)\n);\n"
    "CREATE TABLE tag (note_id INTEGER NOT NULL PRIMARY KEY REFERENCES notes (id) ON DELETE CASCADE, word TEXT);\n"
    "CREATE INDEX notes_size ON notes (size);\n",
}
BACK = {
    "sqlite": "DROP TRIGGER tag_taken;\nDROP TRIGGER notes_written;\nDROP VIEW bodies;\nDROP INDEX notes_size;\n"
    "DROP TABLE journal;\nDROP TABLE tag;\nDROP TABLE notes;\nDROP TABLE owner;\n",
    "postgres": "DROP INDEX notes_size;\nDROP TABLE tag;\nDROP TABLE notes;\nDROP TABLE owner;\n",
}
JSON_TEXTS = (
    None,
    "",
    "no json",
    "null",
    "[1, 2]",
    '"text"',
    "{}",
    '{"age": 30, "height": 1.80, "house": "Stark"}',
    '{"house":"Tully","age":null}',
    '{ "age" : true, "x" : {"a": [1, {"b": false}]}, "é": "ü \\u00e9 \\" \\\\" }',
    '{"age": 1, "age": 2, "z": 12345678901234567890, "e": 1e2}',
    '{"physical": {"age": 9}, "age": 3}',
    '{"physical": "a word"}',
    '{"height": "it\'s", "deep": {"age": 4}}',
)


@pytest.fixture
def project(tmp_path: Path) -> Reviewed:
    folder = Reviewed(tmp_path / "sql")
    for dialect in folder.dialects:
        Reviewed(folder.root, (dialect,)).add(
            HEAD, TABLES[dialect], BACK[dialect], header="-- version: 1.0.0\n-- revision: 001_first\n"
        )
    return folder


def begin(folder: Reviewed, name: str, *arguments: str, expect: int = 0) -> Result:
    result = maxwell_db("--json", "new", name, *arguments, sql=folder.root)
    assert result.exit_code == expect, result.stdout
    return result


def run(database: Database, folder: Reviewed, *arguments: str) -> None:
    result = maxwell_db(*arguments, database=database, sql=folder.root)
    assert result.exit_code == 0, result.stdout + result.stderr


def catalog(database: Database) -> Catalog:
    with database.connect() as connection:
        return read_catalog(connection, database.dialect)  # type: ignore[arg-type]


def insert_rows(database: Database) -> None:
    database.script("INSERT INTO owner VALUES (1, 'a'), (2, 'b');")
    for number, text in enumerate(JSON_TEXTS, 1):
        quoted = "NULL" if text is None else "'" + text.replace("'", "''") + "'"
        body = "NULL" if number % 3 == 0 else f"'body {number}'"
        database.script(
            "INSERT INTO notes (id, body, data, owner_id, size)"
            f" VALUES ({number}, {body}, {quoted}, {number % 2 + 1}, 7);"
            f"INSERT INTO tag VALUES ({number}, 'x');"
        )


def data(database: Database) -> dict[str, list[tuple[Any, ...]]]:
    return rows_of(database, ["owner", "notes", "tag"])


ARGUMENTS = {
    "create-table": ("--table", "drafts"),
    "add-column": ("--table", "notes", "--column", "kind", "--default", "it's new"),
    "rename-column": ("--table", "notes", "--column", "body", "--to", "text"),
    "copy-column": ("--table", "notes", "--column", "body", "--to", "text"),
    "restructure-json": (*("--table", "notes", "--column", "data", "--group", "physical", "--keys", "age,height"),),
    "rebuild-table": ("--table", "notes", "--column", "size", "--type", "BIGINT"),
    "backfill": ("--table", "notes", "--column", "body", "--default", "empty"),
    "add-index": ("--table", "notes", "--column", "body"),
    "add-reference": ("--table", "notes", "--column", "editor_id", "--parent", "owner"),
    "add-foreign-key": ("--table", "notes", "--column", "owner_id", "--parent", "owner"),
}
STAYS = {"backfill"}  # what was filled stays


@pytest.mark.parametrize("pattern", sorted(PATTERNS))
def test_a_pattern_is_clean_as_it_is_written(project: Reviewed, pattern: str) -> None:
    begin(project, "phase5_notes_change_it", "--pattern", pattern, *ARGUMENTS[pattern])
    assert project.findings("--strict", squawk="require") == []


@pytest.mark.parametrize("pattern", sorted(PATTERNS))
def test_a_pattern_goes_there_and_back_and_there_again(project: Reviewed, database: Database, pattern: str) -> None:
    run(database, project, "apply")
    insert_rows(database)
    rows, before = data(database), catalog(database)
    begin(project, "phase5_notes_change_it", "--pattern", pattern, *ARGUMENTS[pattern])
    run(database, project, "apply", "--gate")
    after, changed = catalog(database), data(database)
    assert (after != before) == (pattern != "backfill")
    run(database, project, "rollback", "--yes")
    assert catalog(database) == before
    assert data(database) == (changed if pattern in STAYS else rows)
    run(database, project, "apply", "--gate")
    assert (catalog(database), data(database)) == (after, changed)


REHEARSED = (
    ("rebuild-table", "--table", "scenes", "--column", "content", "--type", "VARCHAR(9000)"),
    ("add-reference", "--table", "scenes", "--column", "copy_of_id", "--parent", "manuscripts"),
    ("create-table", "--table", "drafts"),
    ("add-column", "--table", "scenes", "--column", "mood", "--default", "calm"),
    ("rename-column", "--table", "drafts", "--column", "notes", "--to", "remarks"),
    ("copy-column", "--table", "drafts", "--column", "remarks", "--to", "words"),
    ("restructure-json", "--table", "manuscripts", "--column", "lexical_state", "--group", "root", "--keys", "a,b"),
    ("backfill", "--table", "scenes", "--column", "mood", "--default", "calm"),
    ("add-index", "--table", "scenes", "--column", "mood"),
    ("add-foreign-key", "--table", "scenes", "--column", "pov_character_id", "--parent", "manuscripts"),
)


def test_the_patterns_pass_a_rehearsal(tmp_path: Path, pg_url: str) -> None:
    """One after another, in both dialects over generated rows, which then are compared."""
    folder = Reviewed(tmp_path / "sql")
    shutil.copytree(MAXWELL, folder.root)
    for path in folder.root.glob("*/*.sql"):
        if path.name > "20251218_2":
            path.unlink()
    for pattern, *arguments in REHEARSED:
        name = f"phase5_{arguments[1]}_{pattern.replace('-', '_')}"
        begin(folder, name, "--pattern", pattern, *arguments)
    assert folder.findings("--strict", squawk="require") == []
    result = maxwell_db("rehearse", "--rows", "5", "--scratch", pg_url, database="sqlite:///x.db", sql=folder.root)
    assert result.exit_code == 0, result.stdout + result.stderr


def test_after_a_migration_of_one_dialect_alone_each_depends_on_its_own_head(tmp_path: Path) -> None:
    folder = Reviewed(tmp_path / "sql")
    shutil.copytree(MAXWELL, folder.root)
    begin(folder, "phase5_drafts_add_table", "--pattern", "create-table", "--table", "drafts")
    (lite,) = folder.root.glob("sqlite/*_drafts_add_table.sql")
    (postgres,) = folder.root.glob("postgres/*_drafts_add_table.sql")
    assert "depends: 20260126_1000_phase3_coach_add_tables" in lite.read_text()
    assert "depends: 20260302_1000_production_postgres_add_transfers" in postgres.read_text()
    assert "version: 2.1.0" in lite.read_text() and "version: 2.1.0" in postgres.read_text()
    assert folder.findings("--strict") == []


def test_the_rows_get_what_the_pattern_says(project: Reviewed, database: Database) -> None:
    run(database, project, "apply")
    insert_rows(database)
    begin(project, "phase5_notes_add_kind", "--pattern", "add-column", *ARGUMENTS["add-column"])
    begin(project, "phase5_notes_fill_body", "--pattern", "backfill", *ARGUMENTS["backfill"])
    begin(project, "phase5_notes_copy_body", "--pattern", "copy-column", *ARGUMENTS["copy-column"])
    run(database, project, "apply")
    assert set(database.query("SELECT kind FROM notes")) == {("it's new",)}
    assert database.query("SELECT id, body, text FROM notes WHERE id IN (1, 3) ORDER BY id") == [
        (1, "body 1", "body 1"),
        (3, "empty", "empty"),
    ]


def test_the_restructured_objects_are_nested(project: Reviewed, database: Database) -> None:
    run(database, project, "apply")
    insert_rows(database)
    begin(project, "phase5_notes_nest", "--pattern", "restructure-json", *ARGUMENTS["restructure-json"])
    run(database, project, "apply")
    texts = dict(database.query("SELECT id, data FROM notes"))
    nested = {id: json.loads(text) for id, text in texts.items() if text and text.startswith("{")}
    assert nested[7] == {"physical": {}}
    assert nested[8] == {"house": "Stark", "physical": {"age": 30, "height": 1.8}}
    assert nested[9] == {"house": "Tully", "physical": {"age": None}}
    assert nested[10] == {"x": {"a": [1, {"b": False}]}, "é": 'ü é " \\', "physical": {"age": True}}
    assert nested[12] == {"physical": {"age": 9}, "age": 3}
    assert nested[14] == {"deep": {"age": 4}, "physical": {"height": "it's"}}
    assert [texts[id] for id in range(1, 7)] == list(JSON_TEXTS[:6])


def test_what_was_written_since_is_flattened_too(project: Reviewed, database: Database) -> None:
    run(database, project, "apply")
    insert_rows(database)
    begin(project, "phase5_notes_nest", "--pattern", "restructure-json", *ARGUMENTS["restructure-json"])
    run(database, project, "apply")
    database.script(
        """
        INSERT INTO notes (id, data) VALUES (50, '{"physical": {"age": 5, "height": null}, "house": [true]}');
        UPDATE notes SET data = '{"physical": {"age": 31}, "house": "Stark"}' WHERE id = 8;
        """
    )
    run(database, project, "rollback", "--yes")
    flat = dict(database.query("SELECT id, data FROM notes WHERE id IN (8, 9, 50)"))
    assert json.loads(flat[50]) == {"age": 5, "height": None, "house": [True]}
    assert json.loads(flat[8]) == {"age": 31, "house": "Stark"}
    assert flat[9] == JSON_TEXTS[8]


def test_numbers_and_truths_are_no_texts(project: Reviewed, database: Database) -> None:
    run(database, project, "apply")
    database.script("INSERT INTO notes (id) VALUES (1);")
    for column, type, default in (("n", "INTEGER", "-5"), ("yes", "BOOLEAN", "true"), ("t", "VARCHAR(9)", "007")):
        arguments = ("--table", "notes", "--column", column, "--type", type, "--default", default)
        begin(project, f"phase5_notes_add_{column}", "--pattern", "add-column", *arguments)
    run(database, project, "apply")
    assert database.query("SELECT n, yes, t FROM notes") == [(-5, True, "007")]


def test_a_large_backfill_commits_in_batches(project: Reviewed, make_database: MakeDatabase) -> None:
    database = make_database("postgres")
    run(database, project, "apply")
    database.script("INSERT INTO notes (id) SELECT generate_series(1, 2500);")
    begin(project, "phase5_notes_fill_body", "--pattern", "backfill", *ARGUMENTS["backfill"])
    run(database, project, "apply")
    assert database.value("SELECT count(*) FROM notes WHERE body = 'empty'") == 2500
    assert database.value("SELECT count(DISTINCT xmin::text) FROM notes") == 3


def test_orphans_keep_a_foreign_key_out(project: Reviewed, database: Database) -> None:
    run(database, project, "apply")
    database.script("INSERT INTO notes (id, owner_id) VALUES (1, 99);")
    begin(project, "phase5_notes_own", "--pattern", "add-foreign-key", *ARGUMENTS["add-foreign-key"])
    before = catalog(database)
    assert maxwell_db("apply", database=database, sql=project.root).exit_code in (1, 4)
    assert catalog(database) == before


def test_odd_names_are_quoted(tmp_path: Path, make_database: MakeDatabase) -> None:
    folder = Reviewed(tmp_path / "sql")
    folder.add(HEAD, 'CREATE TABLE "order" (id INTEGER NOT NULL PRIMARY KEY, "a b" TEXT);\n', 'DROP TABLE "order";\n')
    odd = ("--table", "order", "--column", "a b")
    begin(folder, "phase5_order_index", "--pattern", "add-index", *odd)
    begin(folder, "phase5_order_rename", "--pattern", "rename-column", *odd, "--to", 'q"q')
    again = ("--table", "order", "--column", 'q"q', "--type", "VARCHAR(9)")
    begin(folder, "phase5_order_rebuild", "--pattern", "rebuild-table", *again)
    assert folder.findings(squawk="require") == []
    for dialect in ("sqlite", "postgres"):
        database = make_database(dialect)
        run(database, folder, "apply")
        run(database, folder, "rollback", "base", "--yes")
        run(database, folder, "apply")


def test_a_migration_is_named_linked_and_numbered(project: Reviewed) -> None:
    answer = begin(project, "phase5_notes_add_kind", "--pattern", "add-column", *ARGUMENTS["add-column"]).json()
    assert answer["id"].startswith(NOW) and answer["id"].endswith("_phase5_notes_add_kind")
    assert (answer["version"], answer["revision"], answer["depends"]) == ("1.1.0", "002_notes_add_kind", HEAD)
    assert sorted(answer["files"]) == sorted(
        str(project.root / dialect / f"{answer['id']}.{end}")
        for dialect in ("sqlite", "postgres")
        for end in ("sql", "rollback.sql")
    )
    text = Path(answer["files"][0]).read_text()
    lines = [f"-- depends: {HEAD}", "-- version: 1.1.0", "-- revision: 002_notes_add_kind"]
    assert text.splitlines()[1:4] == lines
    # The next one in the same minute comes a minute later, and after it.
    second = begin(project, "phase5_aaa_first", "--pattern", "create-table", "--table", "t", "--bump", "patch").json()
    assert second["id"] > answer["id"] and second["depends"] == answer["id"]
    assert (second["version"], second["revision"]) == ("1.1.1", "003_aaa_first")
    assert begin(project, "phase6_b_c", "--bump", "major").json()["version"] == "2.0.0"


def test_without_a_pattern_the_files_wait_for_their_statements(project: Reviewed, database: Database) -> None:
    begin(project, "phase5_notes_something")
    assert project.rules() == {"empty-file"}
    assert maxwell_db("apply", database=database, sql=project.root).exit_code == 2


def test_nothing_is_written_over_and_nothing_is_left_half(project: Reviewed) -> None:
    moment = datetime(2026, 5, 1, 9, 0, tzinfo=UTC)
    folders = {dialect: project.root / dialect for dialect in ("sqlite", "postgres")}
    in_the_way = folders["postgres"] / "20260501_0900_phase5_x_y.rollback.sql"
    in_the_way.mkdir()
    with pytest.raises(FolderError, match="a folder among the migrations"):
        new(folders, "phase5_x_y", None, Choice(), now=moment)  # type: ignore[arg-type]
    in_the_way.rmdir()
    before = sorted(project.root.rglob("*"))
    (project.root / "postgres").chmod(0o555)
    try:
        result = maxwell_db("--json", "new", "phase5_x_y", sql=project.root)
    finally:
        (project.root / "postgres").chmod(0o755)
    if result.exit_code:  # root may write everywhere
        assert result.json()["error"]["code"] == "CANNOT_WRITE"
        assert sorted(project.root.rglob("*")) == before


def test_the_first_migration_makes_the_folders(tmp_path: Path, make_database: MakeDatabase) -> None:
    table = ("--pattern", "create-table", "--table", "t")
    result = maxwell_db("--json", "new", "phase1_a_b", *table, sql=None, cwd=tmp_path)
    answer = result.json()
    assert (answer["version"], answer["revision"], answer["depends"]) == ("1.0.0", "001_a_b", None)
    assert {path.name for path in (tmp_path / "sql").iterdir()} == {"sqlite", "postgres"}
    for dialect in ("sqlite", "postgres"):
        assert maxwell_db("apply", database=make_database(dialect), sql=tmp_path / "sql").exit_code == 0


def test_for_one_dialect_alone(project: Reviewed) -> None:
    answer = begin(project, "phase5_t_u", "--dialect", "postgres", "--pattern", "create-table", "--table", "t").json()
    assert {Path(file).parent.name for file in answer["files"]} == {"postgres"}
    assert "-- dialects: postgres\n" in Path(answer["files"][0]).read_text()
    assert project.findings() == []


def test_a_project_without_versions_gets_none(tmp_path: Path) -> None:
    folder = tmp_path / "flat"
    folder.mkdir()
    (folder / "0001_notes.sql").write_text("-- Keep notes.\nCREATE TABLE note (id INTEGER NOT NULL PRIMARY KEY);\n")
    (folder / "0001_notes.rollback.sql").write_text("DROP TABLE note;\n")
    answer = maxwell_db("--json", "new", "a_b_c", database="sqlite:///x.db", sql=folder).json()
    assert (answer["version"], answer["revision"], answer["depends"]) == (None, None, "0001_notes")
    assert {Path(file).parent for file in answer["files"]} == {folder}


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("notes",), "BAD_NAME"),
        (("Phase1_a_b",), "BAD_NAME"),
        (("../x_y_z",), "BAD_NAME"),
        (("a_b_c", "--pattern", "no-such"), "USAGE"),
        (("a_b_c", "--pattern", "add-index"), "USAGE"),
        (("a_b_c", "--table", "notes"), "USAGE"),
        (("a_b_c", "--pattern", "add-index", "--table", "notes", "--column", "id", "--parent", "x"), "USAGE"),
        (("a_b_c", "--pattern", "add-index", "--table", "nowhere", "--column", "id"), "NO_SUCH_TABLE"),
        (("a_b_c", "--pattern", "add-index", "--table", "notes", "--column", "nowhere"), "NO_SUCH_COLUMN"),
        (("a_b_c", "--pattern", "create-table", "--table", "notes"), "NAME_TAKEN"),
        (("a_b_c", "--pattern", "rename-column", "--table", "notes", "--column", "id", "--to", "body"), "NAME_TAKEN"),
        (
            ("a_b_c", "--pattern", "rebuild-table", "--table", "notes", "--column", "id", "--type", "TEXT; DROP"),
            "USAGE",
        ),
    ],
)
def test_what_cannot_be_is_refused_and_nothing_is_written(
    project: Reviewed, arguments: tuple[str, ...], code: str
) -> None:
    before = sorted(project.root.rglob("*"))
    result = maxwell_db("--json", "new", *arguments, sql=project.root)
    assert (result.exit_code, result.json()["error"]["code"]) == (2, code), result.stdout
    assert sorted(project.root.rglob("*")) == before


def test_the_editor_gets_the_files(project: Reviewed, tmp_path: Path) -> None:
    seen = tmp_path / "seen"
    script = tmp_path / "editor.py"
    script.write_text(f"import pathlib, sys\npathlib.Path({str(seen)!r}).write_text('\\n'.join(sys.argv[1:]))\n")
    env = {"VISUAL": f"{sys.executable} {script}", "EDITOR": "false"}
    result = maxwell_db("--json", "new", "a_b_c", "--edit", sql=project.root, env=env)
    assert seen.read_text().splitlines() == result.json()["files"]
    for path in seen.read_text().splitlines():
        Path(path).unlink()
    env = {"VISUAL": "", "EDITOR": "no-such-editor -x"}
    failed = maxwell_db("--json", "new", "a_b_d", "--edit", sql=project.root, env=env)
    assert (failed.exit_code, failed.json()["error"]["code"]) == (1, "EDITOR_FAILED")
    assert len(list(project.root.rglob("*_a_b_d*.sql"))) == 4


def test_names_and_definitions() -> None:
    assert [identifier(name) for name in ("notes", "Notes", "order", 'a"b')] == [
        "notes",
        '"Notes"',
        '"order"',
        '"a""b"',
    ]
    create = "CREATE TABLE t (a DECIMAL(10, 2) NOT NULL, b, c VARCHAR (9) DEFAULT 'x, y', -- z\n d TEXT)"
    assert "a INTEGER NOT NULL" in with_type(create, "a", "INTEGER")
    assert "b INTEGER, c" in with_type(create, "b", "INTEGER")
    assert "c INTEGER DEFAULT 'x, y'" in with_type(create, "c", "INTEGER")
    assert with_type(create, "d", "INTEGER").endswith("d INTEGER)")
    assert with_constraint(create, "UNIQUE (a)").endswith("d TEXT,\n    UNIQUE (a))")
    assert effects(with_constraint(create, "UNIQUE (a)"), "sqlite")[0].indexed == (("a",),)
