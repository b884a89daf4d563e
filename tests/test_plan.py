"""plan is the very SQL that apply and rollback run: a shell makes of it what they make, or stops with nothing done."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.databases import Database, rows_of
from tests.support.folders import footprint
from tests.support.maxwell_rows import sample_rows
from tests.support.maxwell_schema import VERSIONS, raw_catalog
from tests.support.migrations import AUTHOR, BOOK, PRICE, Folder, library, log, marks
from tests.support.shells import pipe
from tests.support.tool import maxwell_db

STATES = ("base", *VERSIONS)
PAIRS = [(one, other) for one in STATES for other in STATES if one != other]
STABLE = (
    "operation, migration_id, schema_version, revision, apply_sha256, rollback_sha256, apply_sql, rollback_sql, "
    "tool_version, verify"
)

MakeDatabase = Callable[[str], Database]


def bring_to(database: Database, version: str) -> None:
    if version != "base":
        assert maxwell_db("apply", version, "--no-verify", database=database).exit_code == 0
        database.script(sample_rows(version))


def plan(database: Database, *arguments: str, sql: Path | None = None) -> str:
    result = maxwell_db("plan", *arguments, database=database, **({"sql": sql} if sql else {}))
    assert result.exit_code == 0, result.stderr
    return result.stdout


def everything(database: Database) -> dict[str, Any]:
    """Schema, rows, marks, log and ledger, without what differs from run to run."""
    ties = (
        "SELECT count(*) FROM _maxwell_ledger AS l JOIN _yoyo_log AS g ON g.id = l.log_id"
        " AND g.migration_id = l.migration_id AND g.operation = l.operation"
    )
    present = (
        "SELECT count(*) FROM _maxwell_ledger AS l JOIN _yoyo_migration AS m ON m.applied_at_utc = l.at_utc"
        " AND m.migration_id = l.migration_id AND l.operation = 'apply'"
    )
    return {
        "schema": raw_catalog(database),
        "rows": rows_of(database, sorted(database.tables())),
        "marks": database.query("SELECT migration_hash, migration_id FROM _yoyo_migration ORDER BY 2"),
        "log": log(database),
        "hashes": database.query(
            "SELECT migration_hash, migration_id, operation, comment FROM _yoyo_log ORDER BY 2, 3"
        ),
        "ledger": sorted(database.query(f"SELECT {STABLE} FROM _maxwell_ledger"), key=repr),
        "ties": (database.value(ties), database.value(present)),
        "version": database.query("SELECT version FROM _yoyo_version"),
        "lock": database.query("SELECT * FROM yoyo_lock"),
    }


@pytest.mark.parametrize(("start", "end"), PAIRS, ids=lambda version: str(version))
def test_a_plan_in_a_shell_leaves_what_the_run_leaves(
    make_database: MakeDatabase, dialect: str, start: str, end: str
) -> None:
    ran, piped = make_database(dialect), make_database(dialect)
    for database in (ran, piped):
        bring_to(database, start)
    up = STATES.index(end) > STATES.index(start)
    script = plan(piped, end, *([] if up else ["--rollback"]))
    command = ("apply", end) if up else ("rollback", end, "--yes")
    assert maxwell_db(*command, "--no-verify", database=ran).exit_code == 0
    done = pipe(script, piped)
    assert (done.exit_code, done.stderr) == (0, "")
    assert everything(piped) == everything(ran)
    # The same plan is refused now, and the tool goes on from there as if it had done it.
    refused(script, piped, OTHER_STATE)
    assert maxwell_db("--json", "apply", "--no-verify", database=piped).json()["ok"]


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return library(tmp_path)


def refused(script: str, database: Database, message: str) -> None:
    before = footprint(database)
    done = pipe(script, database)
    assert done.exit_code != 0 and message in done.stderr, done
    assert footprint(database) == before


OTHER_STATE = "not in the state that this plan was made for"


def test_a_database_in_another_state_is_left_alone(
    database: Database, make_database: MakeDatabase, folder: Folder
) -> None:
    folder.run("apply", BOOK, database=database)
    script = plan(database, sql=folder.path)
    other = make_database(database.dialect)
    other.script("CREATE TABLE x (id INTEGER); DROP TABLE x;")
    refused(script, other, OTHER_STATE)  # nothing is there
    folder.run("apply", AUTHOR, database=other)
    refused(script, other, OTHER_STATE)  # less is applied
    folder.run("apply", PRICE, database=other)
    refused(script, other, OTHER_STATE)  # more is applied


@pytest.mark.parametrize(
    "change",
    [
        "CREATE TABLE stranger (id INTEGER);",
        "CREATE INDEX stranger ON author (name);",
        "DROP INDEX book_author;",
        "ALTER TABLE author ADD COLUMN age INTEGER;",
        "CREATE VIEW stranger AS SELECT 1 AS one;",
        "INSERT INTO yoyo_lock (locked, ctime, pid) VALUES (1, '2026-01-01', 1);",
        "INSERT INTO _maxwell_ledger (log_id, operation, migration_id, at_utc)"
        " VALUES ('x', 'unfinished', 'x', '2026-01-01');",
        "UPDATE _yoyo_migration SET migration_id = 'x' WHERE migration_id = '001_author';",
    ],
)
def test_a_database_that_was_changed_since_is_left_alone(database: Database, folder: Folder, change: str) -> None:
    folder.run("apply", BOOK, database=database)
    script = plan(database, sql=folder.path)
    database.script(change)
    refused(script, database, OTHER_STATE)


def test_a_failing_statement_stops_the_script_and_keeps_what_was_before(database: Database, folder: Folder) -> None:
    folder.add("004_bad", "CREATE TABLE more (id INTEGER);\nINSERT INTO nowhere VALUES (1);\n", depends=PRICE)
    folder.add("005_after", "CREATE TABLE after_it (id INTEGER);\n", depends="004_bad")
    done = pipe(plan(database, sql=folder.path), database)
    assert done.exit_code != 0 and "nowhere" in done.stderr
    assert marks(database) == [AUTHOR, BOOK, PRICE]
    assert database.tables() == {"author", "book"}
    assert database.query("SELECT * FROM yoyo_lock") == []
    # After the correction a new plan goes on.
    folder.add("004_bad", "CREATE TABLE more (id INTEGER);\n", depends=PRICE)
    assert pipe(plan(database, sql=folder.path), database).exit_code == 0
    assert database.tables() == {"author", "book", "more", "after_it"}


def test_rows_without_a_parent_stop_it_on_sqlite(make_database: MakeDatabase, folder: Folder) -> None:
    database = make_database("sqlite")
    folder.run("apply", BOOK, database=database)
    database.script("INSERT INTO book VALUES (1, 99);")  # an old one does not count
    folder.add(PRICE, "INSERT INTO author VALUES (7, 'x');\n", "DELETE FROM author WHERE id = 7;\n", depends=BOOK)
    assert pipe(plan(database, sql=folder.path), database).exit_code == 0
    folder.add("004_orphan", "INSERT INTO book VALUES (2, 98);\n", depends=PRICE)
    refused(plan(database, sql=folder.path), database, "leaves rows without a parent")


def test_a_key_that_fits_no_parent_keeps_no_plan_from_running(make_database: MakeDatabase, folder: Folder) -> None:
    database = make_database("sqlite")
    database.script("CREATE TABLE p (x TEXT); CREATE TABLE c (x TEXT REFERENCES p (x)); INSERT INTO c VALUES ('a');")
    assert pipe(plan(database, sql=folder.path), database).exit_code == 0
    assert marks(database) == [AUTHOR, BOOK, PRICE]


def test_a_name_from_the_database_cannot_end_its_comment(database: Database, folder: Folder) -> None:
    evil = "000_x\nCREATE TABLE evil (id INTEGER);\n"
    folder.add("000_x", "SELECT 1;\n")
    folder.run("apply", database=database)
    for end in ("sql", "rollback.sql"):
        (folder.path / f"000_x.{end}").unlink()
    for table in ("_yoyo_migration", "_maxwell_ledger"):
        database.script(f"UPDATE {table} SET migration_id = '{evil}' WHERE migration_id = '000_x';")
    script = plan(database, "base", "--rollback", sql=folder.path)
    pipe(script, database)
    assert "evil" not in database.tables()
    assert "\nCREATE TABLE evil" not in script.replace(f"'{evil}", "")


TEXT = (
    "CREATE TABLE odd (a TEXT);\nINSERT INTO odd VALUES ('it''s $1 $$ $maxwell$ \\ %s :x\n.quit\n\\q'),\n"
    "('é \"q\" -- no comment');\n-- :'x' $$ it's\nINSERT INTO odd VALUES ('/* ; */')"
)


def test_any_text_comes_through_unchanged(database: Database, make_database: MakeDatabase, tmp_path: Path) -> None:
    folder = Folder(tmp_path / "odd")
    folder.add("001_odd", TEXT, "-- it's \\ $$\nDROP TABLE odd")
    other = make_database(database.dialect)
    folder.run("apply", "--no-verify", database=other)
    assert pipe(plan(database, sql=folder.path), database).exit_code == 0
    assert everything(database) == everything(other)
    folder.run("rollback", "--yes", "--no-verify", database=other)
    assert pipe(plan(database, "--rollback", sql=folder.path), database).exit_code == 0
    assert everything(database) == everything(other)


def test_a_way_back_whose_file_is_gone_is_in_the_plan(database: Database, folder: Folder) -> None:
    folder.run("apply", database=database)
    for end in ("sql", "rollback.sql"):
        (folder.path / f"{PRICE}.{end}").unlink()
    assert pipe(plan(database, "--rollback", sql=folder.path), database).exit_code == 0
    assert marks(database) == [AUTHOR, BOOK]


def test_an_index_made_outside_a_transaction(make_database: MakeDatabase, folder: Folder) -> None:
    ran, piped = make_database("postgres"), make_database("postgres")
    folder.add(
        "004_index",
        "CREATE INDEX CONCURRENTLY book_price ON book (price);\n",
        "DROP INDEX CONCURRENTLY book_price;\n",
        depends=PRICE,
        transactional="false",
    )
    folder.run("apply", "--no-verify", database=ran)
    assert pipe(plan(piped, sql=folder.path), piped).exit_code == 0
    assert everything(piped) == everything(ran)
    folder.run("rollback", "--yes", "--no-verify", database=ran)
    assert pipe(plan(piped, "--rollback", sql=folder.path), piped).exit_code == 0
    assert everything(piped) == everything(ran)


def test_an_index_that_cannot_be_built_is_unfinished(make_database: MakeDatabase, folder: Folder) -> None:
    database = make_database("postgres")
    folder.add(
        "004_index",
        "CREATE UNIQUE INDEX CONCURRENTLY book_one ON book (author_id);\n",
        "DROP INDEX CONCURRENTLY book_one;\n",
        depends=PRICE,
        transactional="false",
    )
    folder.run("apply", PRICE, database=database)
    database.script("INSERT INTO book VALUES (1, 1), (2, 1);")
    assert pipe(plan(database, sql=folder.path), database).exit_code != 0
    assert folder.states(database)["004_index"] == "unfinished"
    folder.run("repair", database=database)
    database.script("DELETE FROM book WHERE id = 2;")
    assert pipe(plan(database, sql=folder.path), database).exit_code == 0
    assert folder.states(database)["004_index"] == "applied"


def test_vacuum_runs_outside_a_transaction(make_database: MakeDatabase, folder: Folder) -> None:
    database = make_database("sqlite")
    folder.add("004_vacuum", "VACUUM;\n", "VACUUM;\n", depends=PRICE, transactional="false")
    assert pipe(plan(database, sql=folder.path), database).exit_code == 0
    assert folder.states(database)["004_vacuum"] == "applied"


def test_the_lock_of_a_run_keeps_a_plan_out(make_database: MakeDatabase, folder: Folder) -> None:
    from runner.lock import POSTGRES_KEY

    database = make_database("postgres")
    script = plan(database, sql=folder.path)
    with database.connect() as other:
        other.cursor().execute(f"SELECT pg_advisory_lock({POSTGRES_KEY})")
        done = pipe(script, database)
    assert done.exit_code != 0 and "another run holds this database" in done.stderr
    assert database.tables() == set()


def test_what_a_file_sets_does_not_reach_the_next_one(make_database: MakeDatabase, tmp_path: Path) -> None:
    database = make_database("postgres")
    folder = Folder(tmp_path / "sets")
    folder.add("001_a", "CREATE SCHEMA other;\nSET search_path TO other;\nSET ROLE NONE;\n")
    folder.add("002_b", "CREATE TABLE here (id INTEGER);\n", depends="001_a")
    assert pipe(plan(database, sql=folder.path), database).exit_code == 0
    assert database.value("SELECT schemaname FROM pg_tables WHERE tablename = 'here'") == "public"
    database.script("DROP SCHEMA other CASCADE;")


def test_a_schema_of_its_own(make_database: MakeDatabase, folder: Folder) -> None:
    database = make_database("postgres")
    database.script('CREATE SCHEMA "My Own"')
    separator = "&" if "?" in database.url else "?"
    result = maxwell_db("plan", database=f"{database.url}{separator}schema=My%20Own", sql=folder.path)
    assert result.exit_code == 0, result.stderr
    assert pipe(result.stdout, database).exit_code == 0
    tables = {name for (name,) in database.query("SELECT tablename FROM pg_tables WHERE schemaname = 'My Own'")}
    assert {"author", "book", "_maxwell_ledger", "_yoyo_migration", "yoyo_lock"} <= tables
    database.script('DROP SCHEMA "My Own" CASCADE')


def test_a_plan_writes_nothing(database: Database, folder: Folder, tmp_path: Path) -> None:
    before = footprint(database)
    plan(database, sql=folder.path)
    assert footprint(database) == before
    out = tmp_path / "plan.sql"
    result = folder.run("plan", "-o", str(out), database=database)
    assert result.stdout == f"{out}: 3 migrations to apply.\n"
    assert pipe(out.read_text(), database).exit_code == 0
    assert marks(database) == [AUTHOR, BOOK, PRICE]
    assert "-- Nothing to do." in plan(database, sql=folder.path)
    assert pipe(plan(database, sql=folder.path), database).exit_code == 0


def test_bookkeeping_that_is_not_whole_is_refused(database: Database, folder: Folder) -> None:
    folder.run("apply", BOOK, database=database)
    database.script("DROP TABLE _yoyo_version;")
    assert folder.error("plan", database=database, expect=2)["code"] == "OLD_BOOKKEEPING"


def test_a_plan_cannot_be_written_where_there_is_no_folder(database: Database, folder: Folder) -> None:
    error = folder.error("plan", "-o", "no/such/folder/x.sql", database=database, expect=2)
    assert error["code"] == "CANNOT_WRITE"


def test_a_plan_refuses_what_the_run_refuses(database: Database, folder: Folder) -> None:
    folder.run("apply", BOOK, database=database)
    path = folder.path / f"{AUTHOR}.sql"
    path.write_text(path.read_text().replace("VARCHAR(100)", "VARCHAR(99)"))
    assert folder.error("plan", database=database, expect=6)["code"] == "CHECKSUM_MISMATCH"
    assert folder.error("plan", "nowhere", database=database, expect=6)["code"] == "CHECKSUM_MISMATCH"


# The reviewed plan.


def review(database: Database, folder: Folder, *arguments: str) -> str:
    """Make a plan as a document; the path of its file."""
    path = folder.path.parent / "plan.json"
    path.write_text(folder.run("--json", "plan", *arguments, database=database).stdout)
    return str(path)


def test_a_reviewed_plan_is_carried_out(database: Database, folder: Folder) -> None:
    document = json.loads(Path(review(database, folder, BOOK)).read_text())["plan"]
    assert [step["id"] for step in document["steps"]] == [AUTHOR, BOOK]
    assert document["pending"] == [AUTHOR, BOOK, PRICE] and "CREATE TABLE book" in document["sql"]
    folder.run("apply", "--plan", review(database, folder, BOOK), database=database)
    assert marks(database) == [AUTHOR, BOOK]
    out = folder.path.parent / "file.json"
    folder.run("--json", "plan", "-o", str(out), database=database)
    folder.run("apply", "--plan", str(out), database=database)
    assert marks(database) == [AUTHOR, BOOK, PRICE]
    folder.run("rollback", "--yes", "--plan", review(database, folder, AUTHOR, "--rollback"), database=database)
    assert marks(database) == [AUTHOR]


def _byte(database: Database, folder: Folder) -> None:
    path = folder.path / f"{PRICE}.sql"
    path.write_text(path.read_text().replace("price", "prize"))


def _comment(database: Database, folder: Folder) -> None:
    path = folder.path / f"{PRICE}.rollback.sql"
    path.write_text("-- Undo it.\n" + path.read_text())


def _another(database: Database, folder: Folder) -> None:
    folder.add("004_more", "SELECT 1;\n", depends=PRICE)


def _table(database: Database, folder: Folder) -> None:
    database.script("ALTER TABLE author ADD COLUMN age INTEGER;")


def _index(database: Database, folder: Folder) -> None:
    database.script("DROP INDEX book_author;")


def _applied(database: Database, folder: Folder) -> None:
    folder.run("apply", database=database)


@pytest.mark.parametrize(
    ("direction", "change"),
    [
        *(("apply", change) for change in (_byte, _comment, _another, _table, _index, _applied)),
        *(("rollback", change) for change in (_another, _table, _index, _applied)),
    ],
)
def test_a_reviewed_plan_is_refused_once_anything_has_changed(
    database: Database, folder: Folder, direction: str, change: Callable[[Database, Folder], None]
) -> None:
    folder.run("apply", BOOK, database=database)
    path = review(database, folder, *(["--rollback"] if direction == "rollback" else []))
    change(database, folder)
    before = footprint(database)
    if direction == "apply":
        assert (
            folder.error("apply", "--dry-run", "--plan", path, database=database, expect=6)["code"] == "PLAN_OUTDATED"
        )
    yes = ["--yes"] if direction == "rollback" else []
    error = folder.error(direction, *yes, "--plan", path, database=database, expect=6)
    assert error["code"] == "PLAN_OUTDATED", error
    assert footprint(database) == before


def test_a_rollback_plan_is_refused_after_an_edit_of_its_file(database: Database, folder: Folder) -> None:
    folder.run("apply", database=database)
    path = review(database, folder, "--rollback")
    _comment(database, folder)
    error = folder.error("rollback", "--yes", "--plan", path, database=database, expect=6)
    assert (error["code"], error["file"]) == ("PLAN_OUTDATED", str(folder.path / f"{PRICE}.rollback.sql"))


def test_a_plan_for_a_database_that_is_not_there_makes_none_when_refused(folder: Folder, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/new.db"
    path = tmp_path / "plan.json"
    path.write_text(maxwell_db("--json", "plan", database=url, sql=folder.path).stdout)
    assert not (tmp_path / "new.db").exists()
    folder.add("004_more", "SELECT 1;\n", depends=PRICE)
    result = maxwell_db("apply", "--plan", str(path), database=url, sql=folder.path)
    assert result.exit_code == 6 and not (tmp_path / "new.db").exists()
    (folder.path / "004_more.sql").unlink()
    (folder.path / "004_more.rollback.sql").unlink()
    assert maxwell_db("apply", "--plan", str(path), database=url, sql=folder.path).exit_code == 0


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"plan": {"format": 99}}', "\0", '{"plan": []}'])
def test_what_is_no_plan_is_refused(database: Database, folder: Folder, tmp_path: Path, text: str) -> None:
    path = tmp_path / "x.json"
    path.write_text(text)
    assert folder.error("apply", "--plan", str(path), database=database, expect=2)["code"] == "BAD_PLAN"


def test_a_plan_has_its_own_direction_and_target(database: Database, folder: Folder, tmp_path: Path) -> None:
    folder.run("apply", BOOK, database=database)
    path = review(database, folder)
    assert folder.error("rollback", "--yes", "--plan", path, database=database, expect=2)["code"] == "BAD_PLAN"
    assert folder.error("apply", "head", "--plan", path, database=database, expect=2)["code"] == "USAGE"
    missing = str(tmp_path / "no.json")
    assert folder.error("apply", "--plan", missing, database=database, expect=2)["code"] == "BAD_PLAN"
