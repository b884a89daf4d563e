"""SQL text and transactions: the rows C1 to C14 of the fault matrix that no other file has, and what files may be.

What a file may not do is refused before its first statement where the text shows it, and by the database where not; the
tests of the latter blind the look at the text.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from runner.sources import folder as folder_reader
from tests.support.databases import Database, rows_of, sqlite_database
from tests.support.maxwell_schema import raw_catalog
from tests.support.migrations import AUTHOR, BOOK, PRICE, Folder, held_locks, library, marks
from tests.support.tool import maxwell_db

MakeDatabase = Callable[[str], Database]
LIBRARY = [AUTHOR, BOOK, PRICE]


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    """The three migrations of a library."""
    return library(tmp_path)


@pytest.fixture
def pg(make_database: MakeDatabase, pg_url: str) -> Database:
    """An empty PostgreSQL database."""
    return make_database("postgres")


@pytest.fixture
def lite(make_database: MakeDatabase) -> Database:
    """An empty SQLite database."""
    return make_database("sqlite")


@pytest.fixture
def unseen(monkeypatch: pytest.MonkeyPatch) -> None:
    """The look at a file's text sees nothing, so that the database itself has to refuse."""
    monkeypatch.setattr(folder_reader, "refuse_transaction_control", lambda *script, **how: None)


def state(database: Database) -> tuple[Any, ...]:
    """Schema, rows and marks: what a refused or failed file must not have changed."""
    return raw_catalog(database), rows_of(database, sorted(database.tables())), marks(database)


def refused(
    database: Database, folder: Folder, text: str, expect: int = 1, *options: str, id: str = "004_more"
) -> dict[str, Any]:
    """The file fails or is refused, the database is as before, and an ordinary migration runs next; the error."""
    if not marks(database):
        folder.run("apply", database=database)
    before = state(database)
    path = folder.add(id, text)
    shown = folder.run("apply", *options, database=database, expect=expect)
    assert shown.stdout == "" and "Traceback" not in shown.stderr
    error = folder.error("apply", *options, database=database, expect=expect)
    assert error["file"] == str(path)
    assert state(database) == before
    assert held_locks(database) == []
    folder.add(id, f"CREATE TABLE t_{id} (id INTEGER);\n", f"DROP TABLE t_{id};\n")
    folder.run("apply", database=database)
    assert marks(database) == [*before[2], id]
    return error


# C1: texts that a splitter takes apart in the wrong place. The query finds what they have to leave.

BOTH_TEXTS = {
    "backslash": ("INSERT INTO t VALUES ('C:\\'); INSERT INTO t VALUES ('D:\\');", "SELECT s FROM t", ["C:\\", "D:\\"]),
    "quotes": ("INSERT INTO t VALUES ('it''s; ''--'''); -- don't; stop", "SELECT s FROM t", ["it's; '--'"]),
    "last-comment": ("INSERT INTO t VALUES ('a');\n-- that is all;", "SELECT s FROM t", ["a"]),
    "two-semicolons": ("INSERT INTO t VALUES ('a');;\n;\nINSERT INTO t VALUES ('b');;", "SELECT s FROM t", ["a", "b"]),
    "no-semicolon": ("INSERT INTO t VALUES ('a'); INSERT INTO t VALUES ('b')", "SELECT s FROM t", ["a", "b"]),
    "comment-in-statement": ("INSERT INTO t -- ; '\n/* ; ' */ VALUES ('a');", "SELECT s FROM t", ["a"]),
    "quoted-name": ('CREATE TABLE "a;b""c" (n INTEGER); INSERT INTO t VALUES (\'a\');', "SELECT s FROM t", ["a"]),
    "case-end": ("INSERT INTO t SELECT CASE WHEN 1 = 1 THEN 'a;' ELSE 'b' END;", "SELECT s FROM t", ["a;"]),
    "line-in-literal": ("INSERT INTO t VALUES ('a;\n\nb');", "SELECT s FROM t", ["a;\n\nb"]),
    "long-literal": (f"INSERT INTO t VALUES ('{'x;' * 5000}');", "SELECT length(s) FROM t", [10000]),
}
SQLITE_TEXTS = {
    "column-begin": ("CREATE TABLE u (begin TEXT);\nINSERT INTO t VALUES ('a');", "SELECT s FROM t", ["a"]),
    "trigger": (
        "CREATE TRIGGER g AFTER INSERT ON t WHEN NEW.s = 'a' BEGIN\n  INSERT INTO t VALUES ('b');\n"
        "  UPDATE t SET s = CASE WHEN s = 'b' THEN 'c;' ELSE s END;\nEND;\nINSERT INTO t VALUES ('a');",
        "SELECT s FROM t ORDER BY s",
        ["a", "c;"],
    ),
    "temp-trigger": (
        "CREATE TEMP TRIGGER g AFTER INSERT ON t BEGIN SELECT 1; END; INSERT INTO t VALUES ('a'); DROP TRIGGER g;",
        "SELECT s FROM t",
        ["a"],
    ),
    "brackets": ("CREATE TABLE [u;] (n); CREATE TABLE `v;` (n); INSERT INTO t VALUES ('a');", "SELECT s FROM t", ["a"]),
    "open-comment": ("INSERT INTO t VALUES ('a');\n/* to the end;", "SELECT s FROM t", ["a"]),
}
POSTGRES_TEXTS = {
    "dollar": ("DO $$ BEGIN INSERT INTO t VALUES ('a;'); END $$; INSERT INTO t VALUES ('b');", "", ["a;", "b"]),
    "nested-tags": (
        "CREATE FUNCTION f() RETURNS void LANGUAGE plpgsql AS $a$ BEGIN EXECUTE $b$ INSERT INTO t VALUES ($$x;$$); $b$;"
        " END $a$; SELECT f();",
        "",
        ["x;"],
    ),
    "begin-atomic": (
        "CREATE FUNCTION f() RETURNS text LANGUAGE sql BEGIN ATOMIC SELECT 'a'; SELECT 'b;'; END;\n"
        "INSERT INTO t SELECT f();",
        "",
        ["b;"],
    ),
    "escape": ("INSERT INTO t VALUES (E'it\\'s;'); INSERT INTO t VALUES ('b');", "", ["it's;", "b"]),
    "unicode": ("INSERT INTO t VALUES (U&'\\0061;'); INSERT INTO t VALUES ('b');", "", ["a;", "b"]),
    "nested-comment": (
        "INSERT INTO t VALUES ('a'); /* one /* two; */ ' */ INSERT INTO t VALUES ('b');",
        "",
        ["a", "b"],
    ),
    "rule": (
        "CREATE RULE r AS ON DELETE TO t DO INSTEAD (INSERT INTO t VALUES ('x'); INSERT INTO t VALUES ('y'));\n"
        "INSERT INTO t VALUES ('a'); DELETE FROM t;",
        "SELECT s FROM t ORDER BY s",
        ["a", "x", "y"],
    ),
    "operator": ("INSERT INTO t SELECT 'a' WHERE 1 <> 2 AND '{\"k\": 1}'::jsonb ? 'k';", "", ["a"]),
}
TEXTS = [
    *(("sqlite", name, *row) for name, row in (BOTH_TEXTS | SQLITE_TEXTS).items()),
    *(("postgres", name, *row) for name, row in (BOTH_TEXTS | POSTGRES_TEXTS).items()),
]


@pytest.mark.parametrize("dialect", ["sqlite", "postgres"])
def test_c01_texts_that_splitters_misread_run_as_the_database_reads_them(
    dialect: str, make_database: MakeDatabase, tmp_path: Path
) -> None:
    """Each text runs as the database itself reads it, or not at all: nothing is split in the wrong place."""
    database = make_database(dialect)
    for on, name, text, query, expected in TEXTS:
        if on != dialect:
            continue
        if dialect == "sqlite":
            database = make_database(dialect)
        else:
            database.script("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
        own = Folder(tmp_path / name)
        own.add("001", f"CREATE TABLE t (s TEXT);\n{text}\n")
        own.run("apply", "--no-verify", database=database)
        assert [value for (value,) in database.query(query or "SELECT s FROM t")] == expected, name
        assert marks(database) == ["001"]


@pytest.mark.parametrize("text", ["INSERT INTO author (id, name) VALUES (3, 'open;\n", "SELECT 1 /* open;\n"])
def test_c01_a_text_without_its_end_is_refused_by_the_database(database: Database, folder: Folder, text: str) -> None:
    """A literal without its end is an error of its file, and nothing of the file stays."""
    if database.dialect == "sqlite" and "/*" in text:
        text = "SELECT 1 FROM (/* open;\n"  # to SQLite a comment ends with the text
    error = refused(database, folder, f"DELETE FROM author;\n{text}")
    assert error["code"] == "STATEMENT_FAILED" and error["line"] in (3, 4, 5)


@pytest.mark.parametrize(
    ("text", "exit_code", "code"),
    [
        ("COPY author (id, name) FROM stdin;\n3\tIda\n\\.\n", 2, "FORBIDDEN_STATEMENT"),
        ("\\set name 'Ida'\nSELECT 1;\n", 2, "FORBIDDEN_STATEMENT"),
        ("INSERT INTO author (id, name) VALUES (3, :'name');\n", 1, "STATEMENT_FAILED"),
        ("INSERT INTO author (id, name) SELECT 3, :name;\n", 1, "STATEMENT_FAILED"),
    ],
)
def test_c02_what_only_psql_understands_is_refused(
    pg: Database, folder: Folder, text: str, exit_code: int, code: str
) -> None:
    """psql's own commands and COPY FROM stdin are refused before the first statement, with file and line."""
    error = refused(pg, folder, text, exit_code)
    assert (error["code"], error["line"]) == (code, 3)


CONTROL = ["COMMIT;", "ROLLBACK;", "COMMIT; BEGIN;", "ROLLBACK; BEGIN;", "SAVEPOINT a;", "BEGIN;"]


@pytest.mark.parametrize("where", ["middle", "last"])
@pytest.mark.parametrize("control", CONTROL)
def test_c03_transaction_control_is_refused_before_anything_runs(
    database: Database, folder: Folder, control: str, where: str
) -> None:
    """BEGIN, COMMIT, ROLLBACK and SAVEPOINT are refused before the first statement; nothing is marked."""
    lines = ["DELETE FROM book;", "DELETE FROM author;"]
    lines.insert({"middle": 1, "last": 2}[where], control)
    error = refused(database, folder, "\n".join(lines) + "\n", 2)
    assert error["code"] == "FORBIDDEN_STATEMENT"
    assert error["line"] == 3 + lines.index(control)


@pytest.mark.usefixtures("unseen")
@pytest.mark.parametrize("control", CONTROL)
def test_c03_sqlite_itself_refuses_transaction_control(lite: Database, folder: Folder, control: str) -> None:
    """Where the text does not show it, SQLite refuses it while the file runs, and all of it is rolled back."""
    error = refused(lite, folder, f"DELETE FROM author;\n{control}\nDELETE FROM book;\n", 1)
    assert (error["code"], error["line"]) == ("FORBIDDEN_STATEMENT", 4)
    assert "not authorized" in error["message"]


@pytest.mark.usefixtures("unseen")
@pytest.mark.parametrize("control", ["COMMIT;", "ROLLBACK;", "COMMIT; BEGIN;", "ROLLBACK; BEGIN;"])
def test_c03_a_transaction_that_was_ended_is_never_marked(pg: Database, folder: Folder, control: str) -> None:
    """Where the text does not show it, PostgreSQL's transaction id does: no mark, and the file is named."""
    folder.run("apply", database=pg)
    path = folder.add("004_more", f"CREATE TABLE shelf (id INTEGER);\n{control}\n", "DROP TABLE shelf;\n")
    error = folder.error("apply", database=pg, expect=1)
    assert (error["code"], error["file"]) == ("TRANSACTION_ENDED", str(path))
    assert marks(pg) == LIBRARY
    assert held_locks(pg) == []
    assert folder.states(pg)["004_more"] == "pending"
    pg.script("DROP TABLE IF EXISTS shelf")  # a COMMIT that ran cannot be taken back, and the hint says so
    assert "may be committed" in error["hint"]
    folder.add("004_more", "CREATE TABLE shelf (id INTEGER);\n", "DROP TABLE shelf;\n")
    folder.run("apply", database=pg)


def test_c03_a_commit_that_the_server_s_own_reading_hides_is_found(pg: Database, folder: Folder) -> None:
    """With standard_conforming_strings off a literal ends elsewhere; the transaction id still tells."""
    folder.run("apply", database=pg)
    name = pg.value("SELECT current_database()")
    pg.script(f'ALTER DATABASE "{name}" SET standard_conforming_strings = off')
    hidden = "SELECT '\\''; COMMIT; BEGIN; SELECT 1 AS \" ' \"; -- \"\n"
    folder.add("004_more", f"CREATE TABLE shelf (id INTEGER);\n{hidden}", "DROP TABLE shelf;\n")
    error = folder.error("apply", database=pg, expect=1)
    assert error["code"] == "TRANSACTION_ENDED"
    assert marks(pg) == LIBRARY
    assert held_locks(pg) == []


@pytest.mark.parametrize(
    "text",
    [
        "DO $$ BEGIN DELETE FROM book; COMMIT; END $$;\n",
        "CREATE PROCEDURE p() LANGUAGE plpgsql AS $$ BEGIN ROLLBACK; END $$;\nCALL p();\n",
    ],
)
def test_c03_a_commit_inside_a_block_is_refused_by_the_server(pg: Database, folder: Folder, text: str) -> None:
    """COMMIT inside DO or CALL is the server's to refuse, and nothing of the file stays."""
    error = refused(pg, folder, text, 1)
    assert "(SQLSTATE 2D000)" in error["message"]


def test_c05_a_failing_statement_outside_a_transaction_runs_no_rollback(database: Database, folder: Folder) -> None:
    """A file outside a transaction has one statement; when that fails, nothing is undone unasked."""
    folder.run("apply", database=database)
    database.script("INSERT INTO book (id, author_id, price) VALUES (1, 1, 7), (2, 1, 7)")
    before = state(database)
    concurrently = "CONCURRENTLY" if database.dialect == "postgres" else ""
    folder.add(
        "004_index",
        f"CREATE UNIQUE INDEX {concurrently} book_price ON book (price);\n",
        f"DROP INDEX {concurrently} book_price;\n",
        transactional="false",
    )
    for _ in range(2):
        folder.run("apply", database=database, expect=1)
        assert state(database) == before
        assert folder.states(database)["004_index"] == "pending"
    database.script("UPDATE book SET price = 8 WHERE id = 2")
    folder.run("apply", database=database)
    assert marks(database) == [*LIBRARY, "004_index"]


def test_c06_a_failure_never_runs_the_rollback_of_rows_it_did_not_write(database: Database, folder: Folder) -> None:
    """Rows of other migrations are safe: a rollback file runs when a person asks for it, and never else."""
    folder.run("apply", database=database)
    folder.add("004_keep", "CREATE TABLE keep (id INTEGER); INSERT INTO keep VALUES (1), (2), (3);\n")
    folder.run("apply", database=database)
    before = state(database)
    failing = "INSERT INTO keep SELECT 9 FROM nowhere;\n"
    folder.add("005_fails", failing, "DELETE FROM keep;\n", transactional="false")
    folder.run("apply", database=database, expect=1)
    assert state(database) == before
    folder.add("005_fails", f"DELETE FROM author WHERE id = 99;\n{failing}", "DELETE FROM keep;\nDROP TABLE keep;\n")
    folder.run("apply", database=database, expect=1)
    assert state(database) == before
    folder.add("005_fails", "INSERT INTO keep VALUES (4);\n", "DELETE FROM keep WHERE id = 4;\n")
    folder.run("apply", database=database)
    assert database.value("SELECT count(*) FROM keep") == 4


def test_c07_a_check_may_hold_percent_and_colon(database: Database, folder: Folder, tmp_path: Path) -> None:
    """Percent signs and colons in files and checks mean themselves; nothing is taken for a parameter."""
    checks = tmp_path / "checks"
    checks.mkdir()
    (checks / "names.sql").write_text(
        "-- check: names\n-- severity: error\n-- requires: author.name\n-- Nobody is called 100 % :x.\n"
        "SELECT 'author' AS table_name, id AS row_key, '12:x %s %(x)s' AS detail FROM author\n"
        "WHERE name LIKE '%100 \\% :x%' ESCAPE '\\' OR name LIKE '%:id%';\n"
    )
    folder.run("apply", "--checks", str(checks), database=database)
    database.script("INSERT INTO author (id, name) VALUES (3, 'is 100 % :x here')")
    result = maxwell_db("--json", "verify", "--checks", str(checks), "--only", "names", database=database, sql=None)
    assert result.exit_code == 4
    (found,) = result.json()["checks"]
    assert (found["violations"], found["sample"][0]["detail"]) == (1, "12:x %s %(x)s")
    folder.add("004_more", "INSERT INTO author (id, name) VALUES (4, '100 % :x');\n", "DELETE FROM author;\n")
    error = folder.error("apply", "--gate", "--checks", str(checks), database=database, expect=4)
    assert "names" in error["message"]
    assert marks(database) == LIBRARY


@pytest.mark.parametrize("text", ["PRAGMA foreign_keys = ON;", "PRAGMA foreign_keys = OFF;"])
def test_c08_a_file_does_not_switch_foreign_keys(lite: Database, folder: Folder, text: str) -> None:
    """PRAGMA foreign_keys is the runner's: off while a file runs, and every orphan it makes refuses the commit."""
    assert refused(lite, folder, f"{text}\nDELETE FROM author;\n", 2)["code"] == "FORBIDDEN_STATEMENT"
    orphan = "INSERT INTO book (id, author_id) VALUES (1, 77);\n"
    assert refused(lite, folder, orphan, 4, id="005_orphan")["code"] == "FOREIGN_KEY_VIOLATION"


@pytest.mark.parametrize("rows", [1, 0])
def test_c10_a_rename_that_takes_the_references_along_is_refused(lite: Database, folder: Folder, rows: int) -> None:
    """A rebuild by way of RENAME TO old leaves references to the old name: found before the commit, rolled back."""
    folder.run("apply", database=lite)
    if rows:
        lite.script("INSERT INTO book (id, author_id) VALUES (1, 1)")
    before = state(lite)
    folder.add(
        "004_rebuild",
        "ALTER TABLE author RENAME TO author_old;\n"
        "CREATE TABLE author (id INTEGER NOT NULL PRIMARY KEY, name VARCHAR(100) NOT NULL UNIQUE, born INTEGER);\n"
        "INSERT INTO author (id, name) SELECT id, name FROM author_old;\nDROP TABLE author_old;\n",
    )
    for option in ("--gate", "--no-verify"):
        result = maxwell_db("apply", option, database=lite, sql=folder.path)
        assert result.exit_code in (1, 4), f"{option}: the reference to author_old is committed"
        assert "author_old" in result.stderr
        assert state(lite) == before
    folder.add(
        "004_rebuild",
        "CREATE TABLE author_new (id INTEGER NOT NULL PRIMARY KEY, name VARCHAR(100) NOT NULL UNIQUE, born INTEGER);\n"
        "INSERT INTO author_new (id, name) SELECT id, name FROM author;\nDROP TABLE author;\n"
        "ALTER TABLE author_new RENAME TO author;\n",
    )
    folder.run("apply", "--gate", database=lite)
    assert "REFERENCES author (id)" in lite.value("SELECT sql FROM sqlite_master WHERE name = 'book'")
    assert lite.value("SELECT count(*) FROM book") == rows


def test_c10_a_view_that_went_along_with_a_rename_is_found(lite: Database, folder: Folder) -> None:
    """A view that a rename took along, and whose table is gone then, is found before the commit."""
    folder.add("003_view", "CREATE VIEW names AS SELECT name FROM author;\n", "DROP VIEW names;\n")
    wrong = (
        "ALTER TABLE author RENAME TO author_old;\nCREATE TABLE author AS SELECT * FROM author_old;\n"
        "DROP TABLE author_old;\n"
    )
    error = refused(lite, folder, wrong, 1)
    assert error["code"] == "BROKEN_OBJECT" and "names" in error["message"]


OBJECTS = {
    "trigger": "CREATE TRIGGER object AFTER INSERT ON book BEGIN UPDATE book SET price = 1 WHERE id = NEW.id; END;\n",
    "trigger-elsewhere": "CREATE TRIGGER object AFTER DELETE ON author BEGIN"
    " UPDATE book SET price = 0 WHERE author_id = OLD.id; END;\n",
    "trigger-of-column": "CREATE TRIGGER object AFTER UPDATE OF author_id ON book WHEN NEW.price > 1"
    " BEGIN SELECT 1; END;\n",
    "view": "CREATE VIEW object AS SELECT id, price FROM book;\n",
    "instead-of": "CREATE VIEW object AS SELECT id FROM author; CREATE TRIGGER of_object INSTEAD OF INSERT ON object"
    " BEGIN INSERT INTO book (id, author_id, price) VALUES (NEW.id, NEW.id, 1); END;\n",
}
REBUILD_BOOK = (
    "CREATE TABLE book_new (id INTEGER NOT NULL PRIMARY KEY, author_id INTEGER NOT NULL REFERENCES author (id));\n"
    "INSERT INTO book_new SELECT id, author_id FROM book;\nDROP TABLE book;\nALTER TABLE book_new RENAME TO book;\n"
)


@pytest.mark.parametrize(
    ("kind", "how"),
    [
        *((kind, "drop-column") for kind in OBJECTS),
        *((kind, "rebuild") for kind in ("trigger-elsewhere", "view", "instead-of")),  # a table takes its own along
    ],
)
def test_c11_a_dropped_column_under_a_trigger_or_view_is_found(
    lite: Database, folder: Folder, kind: str, how: str
) -> None:
    """A column that goes from under a trigger or a view is found before the commit and rolled back, exit 1."""
    folder.add("003_z_object", OBJECTS[kind])
    folder.run("apply", database=lite)
    lite.script("INSERT INTO book (id, author_id, price) VALUES (1, 1, 5)")
    text = "ALTER TABLE book DROP COLUMN price;\n" if how == "drop-column" else REBUILD_BOOK
    error = refused(lite, folder, text, 1)
    assert error["code"] in ("BROKEN_OBJECT", "STATEMENT_FAILED")
    assert "price" in error["message"] or "object" in error["message"]
    drop = "DROP VIEW object;\n" if kind in ("view", "instead-of") else "DROP TRIGGER object;\n"
    folder.add("005_drop", f"{drop}{text}", "SELECT 1;\n")
    folder.run("apply", database=lite)
    assert lite.query("SELECT * FROM book") == [(1, 1)]


def test_c11_what_was_broken_before_does_not_count(lite: Database, folder: Folder) -> None:
    """A view that was broken before stops nobody; one more does."""
    folder.run("apply", database=lite)
    lite.script("CREATE TABLE gone (n); CREATE VIEW old AS SELECT n FROM gone; DROP TABLE gone;")
    folder.add("004_more", "CREATE TABLE more (n INTEGER);\n", "DROP TABLE more;\n")
    folder.run("apply", database=lite)
    folder.add("005_view", "CREATE VIEW new AS SELECT n FROM more;\n", "DROP VIEW new;\n")
    folder.run("apply", database=lite)
    assert refused(lite, folder, "DROP TABLE more;\n", id="006_drop")["code"] == "BROKEN_OBJECT"


WHOLE = {
    "instead-of": "CREATE VIEW books AS SELECT id, price FROM book; CREATE TRIGGER add_book INSTEAD OF INSERT ON books"
    " BEGIN UPDATE book SET price = NEW.price WHERE id = NEW.id; DELETE FROM author WHERE id = -1; END;\n",
    "generated": "CREATE TABLE g (n INTEGER, twice INTEGER AS (n * 2), thrice INTEGER AS (n * 3) STORED);"
    " CREATE TRIGGER on_g AFTER UPDATE ON g BEGIN INSERT INTO g (n) VALUES (1); END;\n",
    "without-rowid": "CREATE TABLE w (a TEXT NOT NULL, b TEXT NOT NULL, PRIMARY KEY (a, b)) WITHOUT ROWID;"
    " CREATE TRIGGER on_w BEFORE DELETE ON w WHEN OLD.a = 'x' BEGIN SELECT raise(ABORT, 'no'); END;\n",
    "odd-names": 'CREATE TABLE "a ""b"" c" ("select" TEXT, "x y" TEXT);'
    ' CREATE TRIGGER "on;" AFTER INSERT ON "a ""b"" c" BEGIN UPDATE "a ""b"" c" SET "x y" = NEW."select"; END;\n',
    "search": "CREATE VIRTUAL TABLE find USING fts5 (name, content = 'author', content_rowid = 'id');"
    " CREATE TRIGGER to_find AFTER INSERT ON author BEGIN"
    " INSERT INTO find (rowid, name) VALUES (NEW.id, NEW.name); END;\n",
    "recursive": "CREATE VIEW numbers (n) AS WITH RECURSIVE c (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c LIMIT 9)"
    " SELECT n FROM c;\n",
}


@pytest.mark.parametrize("kind", WHOLE)
def test_c11_what_is_whole_is_not_taken_for_broken(lite: Database, folder: Folder, kind: str) -> None:
    """Views and triggers that work are let through, whatever their kind."""
    folder.add("004_object", WHOLE[kind])
    folder.add("005_more", "ALTER TABLE book ADD COLUMN pages INTEGER;\n")
    folder.run("apply", database=lite)
    assert marks(lite) == [*LIBRARY, "004_object", "005_more"]


ADD_COLUMN = {
    "not-null": ("ALTER TABLE book ADD COLUMN isbn TEXT NOT NULL;", "NOT NULL"),
    "now": ("ALTER TABLE book ADD COLUMN at TEXT DEFAULT CURRENT_TIMESTAMP;", "default"),
    "unique": ("ALTER TABLE book ADD COLUMN isbn TEXT UNIQUE;", "UNIQUE"),
    "type": ("ALTER TABLE book ALTER COLUMN price TYPE TEXT;", "syntax"),
    "constraint": ("ALTER TABLE book ADD CONSTRAINT cheap CHECK (price < 9);", "syntax"),
}


@pytest.mark.parametrize("kind", ADD_COLUMN)
def test_c12_what_alter_table_cannot_do_fails_whole_and_a_rebuild_does_it(
    lite: Database, folder: Folder, kind: str
) -> None:
    """What SQLite's ALTER TABLE cannot do is an error of its file with nothing left; a rebuild keeps the rows."""
    folder.run("apply", database=lite)
    lite.script("INSERT INTO book (id, author_id, price) VALUES (1, 1, 5)")
    statement, word = ADD_COLUMN[kind]
    error = refused(lite, folder, f"CREATE TABLE before (n INTEGER);\n{statement}\n")
    assert (error["code"], error["line"]) == ("STATEMENT_FAILED", 4)
    assert word.lower() in error["message"].lower()
    folder.add(
        "005_rebuild",
        "CREATE TABLE book_new (id INTEGER NOT NULL PRIMARY KEY, author_id INTEGER NOT NULL REFERENCES author (id),"
        " price TEXT CHECK (price < 9), isbn TEXT NOT NULL DEFAULT '' UNIQUE, at TEXT DEFAULT CURRENT_TIMESTAMP);\n"
        "INSERT INTO book_new (id, author_id, price) SELECT id, author_id, price FROM book;\nDROP TABLE book;\n"
        "ALTER TABLE book_new RENAME TO book;\nCREATE INDEX book_author ON book (author_id);\n",
    )
    folder.run("apply", "--gate", database=lite)
    assert lite.query("SELECT id, author_id, price, isbn FROM book") == [(1, 1, "5", "")]


def test_c13_rows_are_shown_to_nobody_even_where_all_is_told(database: Database, folder: Folder) -> None:
    """Rows that a migration selects are shown to nobody, not with -v and not when it fails."""
    folder.add("004_secret", "SELECT 'hunter' || '2' AS shown;\nSELECT nothing FROM nowhere;\n")
    for more in (["-v"], ["--json", "-v"]):
        result = folder.run(*more, "apply", database=database, expect=1)
        assert "hunter2" not in result.stdout + result.stderr
    folder.add("004_secret", "SELECT 'hunter' || '2' AS shown;\n", "SELECT 'hunter' || '2';\n")
    for command in (["-v", "apply"], ["-v", "rollback", "--yes"]):
        result = folder.run(*command, database=database)
        assert "hunter2" not in result.stdout + result.stderr


ATTACH = "ATTACH DATABASE '{}' AS other;\nDROP TABLE other.treasure;\nDELETE FROM author;\n"


@pytest.fixture
def other(tmp_path: Path) -> Database:
    """Somebody else's SQLite file."""
    database = sqlite_database(tmp_path / "other.db")
    database.script("CREATE TABLE treasure (n INTEGER); INSERT INTO treasure VALUES (1);")
    return database


def test_c14_another_database_is_out_of_reach(lite: Database, folder: Folder, other: Database) -> None:
    """ATTACH is refused before the first statement, and by SQLite where the text hides it."""
    assert other.path is not None
    before = other.path.read_bytes()
    assert refused(lite, folder, ATTACH.format(other.path), 2)["code"] == "FORBIDDEN_STATEMENT"
    assert other.path.read_bytes() == before


@pytest.mark.usefixtures("unseen")
@pytest.mark.parametrize("text", [ATTACH, "DELETE FROM author;\nVACUUM INTO '{}.copy';\n"])
def test_c14_sqlite_itself_refuses_another_database(lite: Database, folder: Folder, other: Database, text: str) -> None:
    """SQLite refuses what would reach another file while a migration runs."""
    assert other.path is not None
    before = other.path.read_bytes()
    error = refused(lite, folder, text.format(other.path), 1)
    assert error["code"] in ("FORBIDDEN_STATEMENT", "STATEMENT_FAILED")
    assert other.path.read_bytes() == before
    assert not Path(f"{other.path}.copy").exists()


# What a file may be: row B27 says which files are read at all.


@pytest.mark.parametrize("suffix", [".sql", ".rollback.sql"])
def test_b27_a_file_that_everybody_can_change_is_refused(database: Database, folder: Folder, suffix: str) -> None:
    """Code, links, and files that everybody on the machine can change are refused, and the folder with them."""
    folder.run("apply", BOOK, database=database)
    before = state(database)
    path = folder.path / f"{PRICE}{suffix}"
    path.chmod(0o666)
    for command in (("apply",), ("status",), ("rollback", "--yes")):
        error = folder.error(*command, database=database, expect=2)
        assert (error["code"], error["file"]) == ("WORLD_WRITABLE", str(path))
    assert state(database) == before
    path.chmod(0o664)
    folder.run("apply", database=database)
    assert marks(database) == LIBRARY
