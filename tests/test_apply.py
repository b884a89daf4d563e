"""Apply: one transaction for each migration with its records; a failure leaves nothing of it and says where it was."""

from __future__ import annotations

import getpass
import hashlib
import os
import re
import shutil
import socket
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from runner import __version__, identity
from runner.backend import records
from runner.cli import main
from tests.support.databases import Database, rows_of
from tests.support.migrations import (
    AUTHOR,
    BOOK,
    PRICE,
    Folder,
    bookkeeping,
    held_locks,
    ledger,
    library,
    log,
    marks,
)
from tests.support.tool import Result, clean_environment, maxwell_db, yoyo

MakeDatabase = Callable[[str], Database]


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    """The three migrations of a library."""
    return library(tmp_path)


@pytest.fixture
def empty(tmp_path: Path) -> Folder:
    """A folder without migrations yet."""
    return Folder(tmp_path / "own")


@pytest.fixture
def pg(make_database: MakeDatabase) -> Database:
    """An empty PostgreSQL database."""
    return make_database("postgres")


@pytest.fixture
def lite(make_database: MakeDatabase) -> Database:
    """An empty SQLite database."""
    return make_database("sqlite")


# Order, transactions, records.


def test_pending_migrations_run_oldest_first_and_the_answer_names_them(database: Database, folder: Folder) -> None:
    answer = folder.run("--json", "apply", database=database).json()
    assert [item["id"] for item in answer["applied"]] == [AUTHOR, BOOK, PRICE]
    assert answer["changed"] is True
    assert answer["version"] == "0.3.0"
    assert all(item["duration_ms"] > 0 for item in answer["applied"])
    assert marks(database) == [AUTHOR, BOOK, PRICE]
    assert log(database) == [("apply", AUTHOR), ("apply", BOOK), ("apply", PRICE)]
    assert database.tables() == {"author", "book"}


def test_files_without_depends_run_in_the_order_of_their_names(database: Database, empty: Folder) -> None:
    for number in (3, 1, 2):
        insert = f"INSERT INTO seen (number) VALUES ({number});"
        empty.add(f"00{number}", insert if number > 1 else f"CREATE TABLE seen (number INTEGER);\n{insert}")
    empty.run("apply", database=database)
    # The first makes the table, so another order fails.
    assert log(database) == [("apply", "001"), ("apply", "002"), ("apply", "003")]


def test_nothing_to_do_is_a_success_and_writes_nothing(database: Database, folder: Folder) -> None:
    folder.run("apply", database=database)
    before = rows_of(database, sorted(bookkeeping(database)))
    result = folder.run("apply", database=database)
    assert result.stdout == "Nothing to do; the database is at version 0.3.0.\n"
    assert folder.run("--json", "apply", database=database).json()["changed"] is False
    assert rows_of(database, sorted(bookkeeping(database))) == before


def test_a_migration_and_its_records_are_one_transaction_and_each_has_its_own(pg: Database, empty: Folder) -> None:
    for number in (1, 2):
        empty.add(f"00{number}", f"CREATE TABLE t{number} AS SELECT txid_current() AS xid;", f"DROP TABLE t{number};")
    empty.run("apply", database=pg)
    transactions = []
    for number in (1, 2):
        xids = {
            pg.value(f"SELECT xid FROM t{number}"),
            *(
                int(pg.value(f"SELECT xmin::text FROM {table} WHERE migration_id = '00{number}'"))
                for table in ("_yoyo_migration", "_yoyo_log")
            ),
        }
        assert len(xids) == 1, "the mark or the log row came by another commit than the migration"
        transactions.append(xids.pop())
    assert transactions[0] != transactions[1]


def test_the_ledger_keeps_what_ran_the_way_back_and_who_did_it(database: Database, folder: Folder) -> None:
    folder.run("apply", database=database)
    rows = ledger(database)
    assert list(rows) == [AUTHOR, BOOK, PRICE]
    book = rows[BOOK]
    files = {suffix: (folder.path / f"{BOOK}{suffix}").read_bytes() for suffix in (".sql", ".rollback.sql")}
    assert book["apply_sha256"] == hashlib.sha256(files[".sql"]).hexdigest()
    assert book["rollback_sha256"] == hashlib.sha256(files[".rollback.sql"]).hexdigest()
    assert book["apply_sql"] == files[".sql"].decode()
    assert book["rollback_sql"] == files[".rollback.sql"].decode()
    assert (book["schema_version"], book["revision"]) == ("0.2.0", "two")
    assert (book["username"], book["hostname"]) == (getpass.getuser(), socket.gethostname())
    assert book["tool_version"] == __version__
    assert book["duration_ms"] > 0
    assert book["verify"] == "passed"
    mark = database.value(f"SELECT applied_at_utc FROM _yoyo_migration WHERE migration_id = '{BOOK}'")
    logged = database.value(f"SELECT id FROM _yoyo_log WHERE migration_id = '{BOOK}'")
    assert (book["at_utc"], book["log_id"]) == (mark, logged)


@pytest.mark.parametrize(("option", "outcome"), [("--gate", "passed"), ("--no-verify", None)])
def test_the_ledger_says_whether_the_checks_ran(
    database: Database, folder: Folder, option: str, outcome: str | None
) -> None:
    folder.run("apply", option, database=database)
    assert {row["verify"] for row in ledger(database).values()} == {outcome}


def test_the_checks_outcome_is_noted_for_this_run_alone(
    database: Database, folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(records, "_AT_ONCE", 2)
    folder.run("apply", "--no-verify", database=database)
    folder.run("rollback", AUTHOR, "--yes", "--no-verify", database=database)
    folder.run("apply", database=database)
    rows = database.query("SELECT migration_id, verify FROM _maxwell_ledger WHERE operation = 'apply' ORDER BY at_utc")
    assert rows == [*((id, None) for id in (AUTHOR, BOOK, PRICE)), (BOOK, "passed"), (PRICE, "passed")]
    folder.run("rollback", "base", "--yes", "--no-verify", database=database)
    folder.run("apply", database=database)
    newest = database.query("SELECT verify FROM _maxwell_ledger WHERE operation = 'apply' ORDER BY at_utc DESC LIMIT 3")
    assert newest == [("passed",)] * 3


def test_an_irreversible_migration_has_no_way_back_in_the_ledger(database: Database, empty: Folder) -> None:
    empty.add("001", "CREATE TABLE t (n INTEGER);", None, irreversible="it is the first")
    empty.run("apply", database=database)
    assert ledger(database)["001"]["rollback_sql"] is None
    (item,) = empty.run("--json", "status", database=database).json()["migrations"]
    assert item["reversible"] is False


def test_marks_and_log_are_as_yoyo_writes_them(
    database: Database, folder: Folder, make_database: MakeDatabase, tmp_path: Path
) -> None:
    theirs = make_database(database.dialect)
    done = yoyo("apply", database=theirs, sources=folder.path, cwd=tmp_path)
    assert done.exit_code == 0, done.stderr
    folder.run("apply", database=database)
    assert bookkeeping(database) == bookkeeping(theirs) | {"_maxwell_ledger"}
    assert yoyos_tables(database) == yoyos_tables(theirs)
    assert yoyos_rows(database) == yoyos_rows(theirs)


def yoyos_tables(database: Database) -> list[tuple[Any, ...]]:
    """The definitions of yoyo's own tables."""
    if database.dialect == "sqlite":
        return database.query("SELECT name, sql FROM sqlite_master WHERE name LIKE '%yoyo%' ORDER BY name")
    return database.query(
        "SELECT table_name, column_name, data_type, character_maximum_length, is_nullable, column_default"
        " FROM information_schema.columns WHERE table_name LIKE '%yoyo%' ORDER BY table_name, ordinal_position"
    )


def yoyos_rows(database: Database) -> dict[str, list[tuple[Any, ...]]]:
    """Every column of yoyo's rows; times by their form, ids by their length, and the host not at all."""
    rows = {
        "mark": database.query(
            "SELECT migration_hash, migration_id, applied_at_utc FROM _yoyo_migration ORDER BY migration_id"
        ),
        "log": database.query(
            "SELECT migration_hash, migration_id, operation, username, comment, length(id), created_at_utc"
            " FROM _yoyo_log ORDER BY migration_id, operation"
        ),
        "lock": database.query("SELECT * FROM yoyo_lock"),
    }
    shown = {table: [(*row[:-1], form_of(row[-1])) for row in found] for table, found in rows.items()}
    return shown | {"version": database.query("SELECT version FROM _yoyo_version")}


def form_of(time: Any) -> str:
    """A time with 9 for each digit; the type's name where it is no text. A fraction of zero has no digits to show."""
    return re.sub(r"\d", "9", time) if isinstance(time, str) else type(time).__name__


# Failure.


def test_c04_a_failure_in_the_middle_of_a_file_leaves_nothing_of_it_and_keeps_the_earlier_ones(
    database: Database, folder: Folder
) -> None:
    folder.add(
        "004_broken",
        "CREATE TABLE shelf (id INTEGER NOT NULL PRIMARY KEY);\n\n"
        "INSERT INTO author (id, name) VALUES (3, 'Élise');\n\n"
        "INSERT INTO\n    nowhere (id) VALUES (1);\n\nCREATE TABLE never (id INTEGER);\n",
    )
    answer = folder.run("--json", "apply", database=database, expect=1).json()
    assert [item["id"] for item in answer["applied"]] == [AUTHOR, BOOK, PRICE]
    assert marks(database) == [AUTHOR, BOOK, PRICE] == list(ledger(database))
    assert database.tables() == {"author", "book"}
    assert database.value("SELECT count(*) FROM author") == 2
    assert held_locks(database) == []
    error = answer["error"]
    assert error["code"] == "STATEMENT_FAILED"
    assert error["file"] == str(folder.path / "004_broken.sql")
    assert "nowhere" in error["message"]
    assert error["statement"] == "INSERT INTO\n    nowhere (id) VALUES (1);"
    assert error["line"] in (7, 8)  # SQLite names the statement's line, PostgreSQL the very word's


def test_c04_the_error_on_the_terminal_has_file_line_statement_message_and_what_stays(
    database: Database, folder: Folder
) -> None:
    path = folder.add("004_broken", "INSERT INTO author (id, name) VALUES (3, 'Élise');\n\nDROP TABLE nowhere;\n")
    result = folder.run("apply", database=database, expect=1)
    assert re.search(rf"^error: {re.escape(str(path))}:5: .*nowhere", result.stderr, re.MULTILINE)
    assert "    DROP TABLE nowhere;" in result.stderr.splitlines()
    assert f"committed: {AUTHOR}, {BOOK}, {PRICE}" in result.stderr.splitlines()
    assert result.stdout == ""


def test_the_corrected_file_runs_next_and_only_that(database: Database, folder: Folder) -> None:
    folder.add("004_shelf", "CREATE TABLE shelf (id INTEGER NOT NULL);;\nSELECT nowhere FROM author;\n")
    folder.run("apply", database=database, expect=1)
    folder.add("004_shelf", "CREATE TABLE shelf (id INTEGER NOT NULL PRIMARY KEY);\n", "DROP TABLE shelf;\n")
    answer = folder.run("--json", "apply", database=database).json()
    assert [item["id"] for item in answer["applied"]] == ["004_shelf"]
    assert database.tables() == {"author", "book", "shelf"}
    assert log(database) == [("apply", id) for id in (AUTHOR, BOOK, PRICE, "004_shelf")]


def test_a_failing_first_migration_leaves_an_empty_database(database: Database, empty: Folder) -> None:
    empty.add("001", "CREATE TABLE t (n INTEGER);\nINSERT INTO t VALUES (nowhere);")
    empty.run("apply", database=database, expect=1)
    assert database.tables() == set()
    assert marks(database) == []


@pytest.mark.parametrize(
    ("statement", "line", "state", "words"),
    [
        ("INSERT INTO t VALUES (1);", 8, "23505", ["DETAIL: Key (n)=(1) already exists."]),
        ("SELECT nofunction(1);", 8, "42883", ["HINT: No function"]),
        ("SELECT\n  n / (n - 1)\nFROM t;", 8, "22012", ["division by zero"]),
        ("DO $$\nBEGIN\n  PERFORM 1;\n  RAISE EXCEPTION 'no more'\n    USING HINT = 'stop';\nEND $$;", 8, "P0001",
         ["no more", "HINT: stop", "CONTEXT: PL/pgSQL function inline_code_block line 4 at RAISE"]),
        ("CREATE FUNCTION f() RETURNS int LANGUAGE plpgsql AS $$ BEGIN RETURN nowhere; END $$;\nSELECT f();", 9,
         "42703", ["nowhere", "CONTEXT: PL/pgSQL function f()"]),
        ("CREATE FUNCTION g() RETURNS int LANGUAGE sql AS $$ SELECT nowhere $$;", 8, "42703", ["nowhere"]),
    ],
    ids=["unique", "function", "run-time", "do", "in-function", "sql-function"],
)  # fmt: skip
def test_postgres_says_sqlstate_detail_hint_and_the_place_even_of_a_run_time_error(
    pg: Database, empty: Folder, statement: str, line: int, state: str, words: list[str]
) -> None:
    path = empty.add(
        "001",
        "CREATE TABLE t (n INTEGER PRIMARY KEY);\nINSERT INTO t VALUES (1); -- ; 'no end\nSELECT ';' || n\nFROM t;\n\n"
        f"{statement}\nCREATE TABLE never (n INTEGER);",
    )
    error = empty.error("apply", database=pg, expect=1)
    assert error["file"] == str(path)
    assert error["line"] is not None
    assert line <= error["line"] < line + statement.count("\n") + 1
    assert error["statement"].strip() in statement
    assert f"(SQLSTATE {state})" in error["message"]
    for word in words:
        assert word in error["message"]
    assert pg.tables() == set()


def test_looking_for_the_failing_statement_leaves_no_trace(pg: Database, empty: Folder) -> None:
    empty.add("001", "CREATE TABLE t (n INTEGER);\nINSERT INTO t VALUES (1);\nSELECT 1 / 0 FROM t;")
    assert empty.error("apply", database=pg, expect=1)["line"] == 5
    assert pg.tables() == set()
    assert pg.value("SELECT count(*) FROM pg_stat_activity WHERE state LIKE 'idle in transaction%'") == 0


def test_a_constraint_that_fails_at_the_commit_is_an_error_of_its_file(pg: Database, folder: Folder) -> None:
    path = folder.add(
        "004_late",
        "ALTER TABLE book ADD CONSTRAINT late FOREIGN KEY (price) REFERENCES author (id)"
        " DEFERRABLE INITIALLY DEFERRED;\nINSERT INTO book (id, author_id, price) VALUES (1, 1, 99);\n",
    )
    error = folder.error("apply", database=pg, expect=1)
    assert error["file"] == str(path)
    assert "(SQLSTATE 23503)" in error["message"]
    assert marks(pg) == [AUTHOR, BOOK, PRICE]
    assert pg.value("SELECT count(*) FROM book") == 0


def test_a_long_statement_is_shortened_on_the_terminal_and_whole_in_json(database: Database, empty: Folder) -> None:
    values = ",\n".join(f"  ({number})" for number in range(1000))
    statement = f"INSERT INTO nowhere (n) VALUES\n{values};"
    empty.add("001", f"CREATE TABLE t (n INTEGER);\n{statement}\n")
    assert empty.error("apply", database=database, expect=1)["statement"] == statement
    stderr = empty.run("apply", database=database, expect=1).stderr
    assert "  (0)" in stderr
    assert "  (999)" not in stderr
    assert "    ..." in stderr.splitlines()


def test_a14_a_lost_connection_is_told_plainly_and_the_next_run_goes_on(pg: Database, folder: Folder) -> None:
    path = folder.add("004_lost", "CREATE TABLE shelf (id INTEGER);\nSELECT pg_terminate_backend(pg_backend_pid());\n")
    error = folder.error("apply", database=pg, expect=1)
    assert error["file"] == str(path)
    assert "terminat" in error["message"]
    assert marks(pg) == [AUTHOR, BOOK, PRICE]
    assert "shelf" not in pg.tables()
    folder.add("004_lost", "CREATE TABLE shelf (id INTEGER);\n")
    folder.run("apply", database=pg)


# Targets and options.


@pytest.mark.parametrize("target", [BOOK, "002", "two", "0.2.0", "v0.2", "+2"])
def test_apply_goes_up_to_and_including_its_target(database: Database, folder: Folder, target: str) -> None:
    assert folder.run("--json", "apply", target, database=database).json()["version"] == "0.2.0"
    assert marks(database) == [AUTHOR, BOOK]


def test_an_unknown_target_is_refused_with_the_candidates_and_makes_no_file(lite: Database, folder: Folder) -> None:
    error = folder.error("apply", "nine", database=lite, expect=2)
    assert BOOK in error["hint"]
    assert lite.path is not None
    assert not lite.path.exists()


def test_single_transaction_applies_all_in_one(pg: Database, empty: Folder) -> None:
    for number in (1, 2, 3):
        empty.add(f"00{number}", f"CREATE TABLE t{number} AS SELECT txid_current() AS xid;", f"DROP TABLE t{number};")
    empty.run("apply", "--single-transaction", database=pg)
    assert len({pg.value(f"SELECT xid FROM t{number}") for number in (1, 2, 3)}) == 1
    assert len(pg.query("SELECT DISTINCT xmin::text FROM _yoyo_migration")) == 1
    assert marks(pg) == ["001", "002", "003"]


@pytest.mark.parametrize("options", [(), ("--gate",)])
def test_single_transaction_is_nothing_when_a_later_one_fails(
    database: Database, folder: Folder, options: tuple[str, ...]
) -> None:
    folder.add("004_broken", "CREATE TABLE shelf (id INTEGER);\nDROP TABLE nowhere;\n")
    answer = folder.run("--json", "apply", "--single-transaction", *options, database=database, expect=1).json()
    assert answer["applied"] == []
    assert answer["changed"] is False
    assert answer["error"]["file"].endswith("004_broken.sql")
    assert database.tables() == set()
    assert marks(database) == []
    assert ledger(database) == {}
    assert held_locks(database) == []


def test_single_transaction_is_nothing_when_the_gate_closes_on_a_later_one(database: Database, folder: Folder) -> None:
    folder.add("004_loss", "DELETE FROM author;\n")
    answer = folder.run("--json", "apply", "--single-transaction", "--gate", database=database, expect=4).json()
    assert answer["error"]["code"] == "GATE_CLOSED"
    assert answer["applied"] == []
    assert database.tables() == set()
    assert marks(database) == []


def test_single_transaction_refuses_what_cannot_run_in_one(database: Database, folder: Folder) -> None:
    folder.add("004_alone", "REINDEX TABLE author;\n", transactional="false")
    error = folder.error("apply", "--single-transaction", database=database, expect=2)
    assert error["code"] == "NOT_TRANSACTIONAL"
    assert marks(database) == []


def test_dry_run_names_what_would_run_and_writes_nothing(database: Database, folder: Folder) -> None:
    folder.run("apply", AUTHOR, database=database)
    before = fingerprint(database)
    answer = folder.run("--json", "apply", "--dry-run", database=database).json()
    assert answer["dry_run"] == [BOOK, PRICE]
    assert answer["changed"] is False
    assert answer["version"] == "0.1.0"
    assert fingerprint(database) == before
    assert "Would apply 2 migrations" in folder.run("apply", "--dry-run", database=database).stdout


def test_dry_run_creates_no_file_and_no_table(database: Database, folder: Folder) -> None:
    assert folder.run("--json", "apply", "--dry-run", database=database).json()["dry_run"] == [AUTHOR, BOOK, PRICE]
    if database.path is not None:
        assert not database.path.exists()
        assert list(database.path.parent.glob("*.db*")) == []
    else:
        assert bookkeeping(database) == set()


def fingerprint(database: Database) -> object:
    """What any write would change: a SQLite file's bytes; the transactions that PostgreSQL counted."""
    if database.path is not None:
        return database.path.read_bytes(), sorted(database.path.parent.iterdir())
    return database.value("SELECT pg_snapshot_xmax(pg_current_snapshot())::text"), database.value(
        "SELECT string_agg(relname || xmin, ',' ORDER BY oid) FROM pg_class"
    )


def test_a_missing_sqlite_file_is_made_and_that_is_said(lite: Database, folder: Folder) -> None:
    result = folder.run("apply", database=lite)
    assert f"{lite.path} was not there" in result.stdout + result.stderr
    assert marks(lite) == [AUTHOR, BOOK, PRICE]


def test_out_of_order_needs_the_option(database: Database, folder: Folder) -> None:
    folder.run("apply", database=database)
    folder.add("002_a_shelf", "CREATE TABLE shelf (id INTEGER);\n", "DROP TABLE shelf;\n")
    error = folder.error("apply", database=database, expect=6)
    assert error["code"] == "OUT_OF_ORDER"
    assert error["file"].endswith("002_a_shelf.sql")
    assert "shelf" not in database.tables()
    answer = folder.run("--json", "apply", "--allow-out-of-order", database=database).json()
    assert [item["id"] for item in answer["applied"]] == ["002_a_shelf"]
    assert "shelf" in database.tables()
    assert folder.run("apply", database=database).stdout.startswith("Nothing to do")


# What the text may hold.


def test_c07_percent_and_colon_names_mean_themselves(database: Database, empty: Folder) -> None:
    text = "100 % :name %s %(id)s ? $1 {0} \\"
    empty.add(
        "001",
        f"CREATE TABLE t (s VARCHAR(99));\nINSERT INTO t VALUES ('{text}'); -- %s :name\n"
        "DELETE FROM t WHERE s LIKE '%nothing%';\n",
        "DROP TABLE t; -- 50 % :x\n",
    )
    empty.run("apply", database=database)
    assert database.value("SELECT s FROM t") == text
    empty.run("rollback", "--yes", database=database)
    assert database.tables() == set()


def test_c13_a_select_in_a_migration_prints_nothing(database: Database, empty: Folder) -> None:
    select = "SELECT 'secret' AS shown;"
    empty.add("001", f"{select}\nCREATE TABLE t (n INTEGER);\n{select}", f"DROP TABLE t;\n{select}")
    result = empty.run("--json", "apply", database=database)
    assert "secret" not in result.stdout + result.stderr
    assert result.json()["ok"] is True
    shown = empty.run("rollback", "--yes", database=database)
    assert "secret" not in shown.stdout + shown.stderr


def test_a_select_in_sqlite_runs_to_its_end(lite: Database, empty: Folder) -> None:
    overflow = "SELECT abs(-9223372036854775807 - n) FROM t ORDER BY n;"  # in the second row
    empty.add("001", f"CREATE TABLE t (n INTEGER);\nINSERT INTO t VALUES (1), (0);\n{overflow}")
    assert empty.error("apply", database=lite, expect=1)["line"] == 5
    assert lite.tables() == set()


def test_search_path_of_a_file_stays_in_the_file(pg: Database, empty: Folder) -> None:
    empty.add(
        "001",
        "CREATE SCHEMA aside;\nSET search_path TO aside;\nSET lock_timeout = 1;\nSET statement_timeout = '3s';\n"
        "CREATE TABLE there (n INTEGER);\n",
        "SET search_path TO aside;\nDROP TABLE there;\nDROP SCHEMA aside;\n",
    )
    empty.add("002", "CREATE TABLE here AS SELECT current_setting('statement_timeout') AS timeout;", "DROP TABLE here;")
    empty.run("apply", "--gate", database=pg)
    assert pg.query("SELECT schemaname, tablename FROM pg_tables WHERE tablename IN ('here', 'there') ORDER BY 2") == [
        ("public", "here"),
        ("aside", "there"),
    ]
    assert pg.query("SELECT DISTINCT schemaname FROM pg_tables WHERE tablename LIKE '%yoyo%'") == [("public",)]
    assert pg.value("SELECT timeout FROM here") == "0"
    empty.run("rollback", "base", "--yes", database=pg)
    assert marks(pg) == []
    assert pg.value("SELECT count(*) FROM pg_namespace WHERE nspname = 'aside'") == 0


@pytest.mark.parametrize("how", ["SET ROLE", "SET SESSION AUTHORIZATION"])
def test_a_role_of_a_file_stays_in_the_file(pg: Database, empty: Folder, how: str) -> None:
    role = f"maxwell_test_{os.getpid()}"
    pg.script(f'CREATE ROLE "{role}"; CREATE SCHEMA theirs AUTHORIZATION "{role}"')
    try:
        empty.add("001", f'{how} "{role}";\nCREATE TABLE theirs.t (n INTEGER);\n', "DROP TABLE theirs.t;")
        empty.add("002", "CREATE TABLE mine AS SELECT current_user::text AS who;", "DROP TABLE mine;")
        empty.run("apply", database=pg)
        assert pg.value("SELECT tableowner FROM pg_tables WHERE tablename = 't'") == role
        assert pg.value("SELECT who FROM mine") == pg.value("SELECT current_user")
        assert marks(pg) == ["001", "002"]
    finally:
        pg.script(f'DROP SCHEMA theirs CASCADE; DROP ROLE "{role}"')


def test_a_schema_of_the_url_is_used_throughout(pg: Database, folder: Folder) -> None:
    pg.script('CREATE SCHEMA "My Schema"')
    url = f"{pg.url}{'&' if '?' in pg.url else '?'}schema=My%20Schema"
    result = maxwell_db("apply", database=url, sql=folder.path)
    assert result.exit_code == 0, result.stderr
    assert pg.tables() == set()
    assert bookkeeping(pg) == set()
    assert pg.value("SELECT count(*) FROM pg_tables WHERE schemaname = 'My Schema'") == 7


def test_ten_megabytes_of_inserts_are_applied(database: Database, empty: Folder) -> None:
    line = f"INSERT INTO t (s) VALUES ('{'x' * 1000}; it''s --');\n"
    count = 10_000_000 // len(line) + 1
    path = empty.add("001", "CREATE TABLE t (s TEXT);\n" + line * count, "DROP TABLE t;", expect_row_loss="t")
    assert path.stat().st_size > 10_000_000
    empty.run("apply", "--gate", database=database)
    assert database.value("SELECT count(*) FROM t") == count
    row = ledger(database)["001"]
    assert row["apply_sql"] is None, "data of this size is not kept twice"
    assert row["apply_sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert empty.states(database) == {"001": "applied"}


# Outside a transaction.


def test_an_index_is_built_concurrently(pg: Database, folder: Folder) -> None:
    folder.add(
        "004_index",
        "CREATE INDEX CONCURRENTLY book_price ON book (price);\n",
        "DROP INDEX CONCURRENTLY book_price;\n",
        transactional="false",
    )
    folder.run("apply", database=pg)
    assert pg.value("SELECT indisvalid FROM pg_index WHERE indexrelid = 'book_price'::regclass") is True
    assert marks(pg)[-1] == "004_index"
    assert ledger(pg, "unfinished") == {}
    assert ledger(pg)["004_index"]["duration_ms"] > 0
    folder.run("rollback", "--yes", database=pg)
    assert pg.value("SELECT to_regclass('book_price')") is None
    assert marks(pg) == [AUTHOR, BOOK, PRICE]
    assert ledger(pg, "unfinished") == {}


def test_a_sqlite_file_is_vacuumed(lite: Database, folder: Folder) -> None:
    folder.run("apply", database=lite)
    assert lite.path is not None
    lite.script("CREATE TABLE filler (s); INSERT INTO filler VALUES (zeroblob(1000000)); DROP TABLE filler;")
    folder.add("004_vacuum", "VACUUM;\n", None, transactional="false", irreversible="nothing to take back")
    size = lite.path.stat().st_size
    folder.run("apply", database=lite)
    assert lite.path.stat().st_size < size - 900_000
    assert folder.states(lite)["004_vacuum"] == "applied"


HALF_DONE = "DO $$ BEGIN CREATE TABLE half (n INTEGER); COMMIT; PERFORM 1 / 0; END $$;\n"


def test_c05_a_failure_outside_a_transaction_is_unfinished_until_it_is_settled(pg: Database, folder: Folder) -> None:
    folder.run("apply", database=pg)
    path = folder.add("004_half", HALF_DONE, "DROP TABLE half;\n", transactional="false")
    error = folder.error("apply", database=pg, expect=8)
    assert error["code"] == "UNFINISHED"
    assert (error["file"], error["line"]) == (str(path), 4)
    assert "(SQLSTATE 22012)" in error["message"]
    assert folder.states(pg)["004_half"] == "unfinished"
    assert folder.run("status", "--exit-code", database=pg, expect=8).exit_code == 8

    # Nothing goes on before a person has looked.
    again = folder.error("apply", database=pg, expect=8)
    assert again["file"] == str(path)
    assert "maxwell-db repair" in again["hint"]
    folder.run("rollback", "--yes", database=pg, expect=8)
    assert marks(pg) == [AUTHOR, BOOK, PRICE]

    pg.script("DROP TABLE half")
    folder.run("stamp", PRICE, database=pg)
    assert folder.states(pg)["004_half"] == "pending"
    folder.add("004_half", "CREATE TABLE half (n INTEGER);\n", "DROP TABLE half;\n", transactional="false")
    folder.run("apply", database=pg)
    assert folder.states(pg)["004_half"] == "applied"
    assert ledger(pg, "unfinished") == {}


def test_stamping_an_unfinished_migration_settles_it_as_applied(pg: Database, folder: Folder) -> None:
    folder.run("apply", database=pg)
    folder.add("004", HALF_DONE, transactional="false")
    folder.run("apply", database=pg, expect=8)
    folder.run("stamp", "004", "--force", database=pg)
    assert folder.states(pg)["004"] == "applied"
    assert folder.run("apply", database=pg).stdout.startswith("Nothing to do")


def test_a19_an_index_that_could_not_be_built_is_not_left_behind(pg: Database, folder: Folder) -> None:
    folder.run("apply", database=pg)
    pg.script("INSERT INTO book (id, author_id, price) VALUES (1, 1, 7), (2, 1, 7)")
    text = "CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS book_price ON book (price);\n"
    folder.add("004_index", text, "DROP INDEX CONCURRENTLY book_price;\n", transactional="false")
    for _ in range(2):
        error = folder.error("apply", database=pg, expect=1)
        assert "(SQLSTATE 23505)" in error["message"]
        assert pg.value("SELECT to_regclass('book_price')") is None
        assert folder.states(pg)["004_index"] == "pending"
    pg.script("DELETE FROM book WHERE id = 2")
    folder.run("apply", database=pg)
    assert pg.value("SELECT indisvalid FROM pg_index WHERE indexrelid = 'book_price'::regclass") is True


def test_a19_an_invalid_index_is_not_taken_for_done_because_it_exists(pg: Database, folder: Folder) -> None:
    folder.run("apply", database=pg)
    pg.script("CREATE INDEX book_price ON book (price)")
    pg.script("UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'book_price'::regclass")
    text = "CREATE INDEX CONCURRENTLY IF NOT EXISTS book_price ON book (price);\n"
    folder.add("004_index", text, "DROP INDEX CONCURRENTLY book_price;\n", transactional="false")
    folder.run("apply", database=pg)
    assert pg.value("SELECT indisvalid FROM pg_index WHERE indexrelid = 'book_price'::regclass") is True


def test_an_index_that_somebody_else_is_building_is_left_to_them(pg: Database, folder: Folder) -> None:
    folder.run("apply", database=pg)
    text = "CREATE INDEX CONCURRENTLY book_price ON book (price);\n"
    folder.add("004_index", text, "DROP INDEX CONCURRENTLY book_price;\n", transactional="false")
    with pg.connect() as connection, closing(connection.cursor()) as writer:
        writer.execute("BEGIN; INSERT INTO book (id, author_id) VALUES (9, 1)")  # it keeps the building one waiting
        builder = threading.Thread(target=pg.script, args=(text,))
        builder.start()
        while not pg.query("SELECT 1 FROM pg_stat_progress_create_index WHERE index_relid > 0"):
            time.sleep(0.05)
        error = folder.error("apply", database=pg, expect=1)
        assert "being built by somebody else" in error["message"]
        assert folder.states(pg)["004_index"] == "pending", "nothing was begun, so nothing is unfinished"
        writer.execute("COMMIT")
    builder.join(20)
    assert pg.value("SELECT indisvalid FROM pg_index WHERE indexrelid = 'book_price'::regclass") is True


def test_a_failed_rollback_outside_a_transaction_is_unfinished_too(pg: Database, folder: Folder) -> None:
    folder.add(
        "004",
        "CREATE INDEX CONCURRENTLY book_price ON book (price);\n",
        "DO $$ BEGIN DROP INDEX book_price; COMMIT; PERFORM 1 / 0; END $$;\n",
        transactional="false",
    )
    folder.run("apply", database=pg)
    folder.run("rollback", "--yes", database=pg, expect=8)
    assert pg.value("SELECT to_regclass('book_price')") is None
    assert folder.states(pg)["004"] == "unfinished"
    folder.run("rollback", "--yes", database=pg, expect=8)
    folder.run("stamp", PRICE, database=pg)
    assert folder.states(pg)["004"] == "pending"


def test_a_syntax_error_outside_a_transaction_leaves_nothing_to_settle(database: Database, folder: Folder) -> None:
    path = folder.add("004_typo", "CREATE INDX book_price ON book (price);\n", transactional="false")
    error = folder.error("apply", database=database, expect=1)
    assert (error["file"], error["line"]) == (str(path), 4)
    assert folder.states(database)["004_typo"] == "pending"
    folder.add("004_typo", "CREATE INDEX book_price ON book (price);\n", transactional="false")
    folder.run("apply", database=database)


def test_c05_a_failed_statement_outside_a_transaction_took_no_effect_on_sqlite(lite: Database, folder: Folder) -> None:
    folder.run("apply", database=lite)
    lite.script("INSERT INTO book (id, author_id, price) VALUES (1, 1, 7), (2, 1, 7)")
    folder.add("004", "CREATE UNIQUE INDEX book_price ON book (price);", transactional="false")
    folder.run("apply", database=lite, expect=1)
    assert folder.states(lite)["004"] == "pending"
    lite.script("DELETE FROM book WHERE id = 2")
    folder.run("apply", database=lite)


# Foreign keys on SQLite.

REBUILD = """\
CREATE TABLE author_new (id INTEGER NOT NULL PRIMARY KEY, name TEXT NOT NULL, born INTEGER);
INSERT INTO author_new (id, name) SELECT id, name FROM author;
DROP TABLE author;
ALTER TABLE author_new RENAME TO author;
"""


@pytest.fixture
def with_children(lite: Database, empty: Folder) -> Folder:
    """Authors with books that go when their author goes."""
    empty.add(
        "001",
        "CREATE TABLE author (id INTEGER NOT NULL PRIMARY KEY, name TEXT NOT NULL);\n"
        "CREATE TABLE book (id INTEGER NOT NULL PRIMARY KEY,"
        " author_id INTEGER REFERENCES author (id) ON DELETE CASCADE);\n"
        "INSERT INTO author VALUES (1, 'Maren');\nINSERT INTO book VALUES (1, 1), (2, 1);\n",
    )
    empty.run("apply", database=lite)
    return empty


@pytest.mark.parametrize("option", [(), ("--gate",), ("--single-transaction",)])
def test_c09_a_table_rebuild_keeps_the_child_rows(
    lite: Database, with_children: Folder, option: tuple[str, ...]
) -> None:
    with_children.add("002", REBUILD)
    with_children.run("apply", *option, database=lite)
    assert lite.query("SELECT * FROM book ORDER BY id") == [(1, 1), (2, 1)]
    assert lite.query("SELECT * FROM author") == [(1, "Maren", None)]
    assert "author_new" not in lite.value("SELECT sql FROM sqlite_master WHERE name = 'book'")


def test_c08_rows_that_lose_their_parent_are_refused_before_the_commit(lite: Database, with_children: Folder) -> None:
    path = with_children.add("002", "INSERT INTO book VALUES (3, 77);", expect_row_loss="author")
    error = with_children.error("apply", "--no-verify", database=lite, expect=4)
    assert error["code"] == "FOREIGN_KEY_VIOLATION"
    assert error["file"] == str(path)
    assert "book rowid 3 has no parent in author" in error["message"]
    assert marks(lite) == ["001"]
    assert lite.value("SELECT count(*) FROM book") == 2


def test_orphans_from_before_do_not_fail_a_migration(lite: Database, with_children: Folder) -> None:
    lite.script("INSERT INTO book VALUES (3, 77)")
    with_children.add("002", REBUILD)
    with_children.run("apply", "--gate", database=lite)
    with_children.add("003", "INSERT INTO book VALUES (4, 78);")
    error = with_children.error("apply", database=lite, expect=4)
    assert "1 row(s) without a parent: book rowid 4" in error["message"]
    assert lite.value("SELECT count(*) FROM book") == 3


def test_new_orphans_are_counted_where_rows_have_no_rowid(lite: Database, empty: Folder) -> None:
    empty.add(
        "001",
        "CREATE TABLE author (id INTEGER NOT NULL PRIMARY KEY);\n"
        "CREATE TABLE book (id TEXT NOT NULL PRIMARY KEY, author_id INTEGER REFERENCES author (id)) WITHOUT ROWID;",
    )
    empty.run("apply", database=lite)
    lite.script("INSERT INTO book VALUES ('a', 1)")
    empty.add("002", "INSERT INTO book VALUES ('b', 1);")
    error = empty.error("apply", "--no-verify", database=lite, expect=4)
    assert error["code"] == "FOREIGN_KEY_VIOLATION"
    assert "1 row(s)" in error["message"]
    assert lite.value("SELECT count(*) FROM book") == 1


# Locks of other sessions on PostgreSQL.


@contextmanager
def reader(database: Database, table: str, seconds: float) -> Iterator[None]:
    """Somebody reads a table in a transaction that stays open for some time."""
    begun, leave = threading.Event(), threading.Event()

    def read() -> None:
        with database.connect() as connection, closing(connection.cursor()) as cursor:
            cursor.execute(f"SET application_name = 'a long report'; BEGIN; SELECT count(*) FROM {table}")
            begun.set()
            leave.wait(seconds)
            cursor.execute("COMMIT")

    thread = threading.Thread(target=read)
    thread.start()
    assert begun.wait(10)
    try:
        yield
    finally:
        leave.set()
        thread.join()


def test_a18_an_alter_behind_a_reader_gets_through_when_the_reader_ends(pg: Database, folder: Folder) -> None:
    folder.run("apply", BOOK, database=pg)
    with reader(pg, "book", 0.8):
        result = folder.run("apply", "--ddl-lock-timeout", "20", "--ddl-lock-try", "0.1", database=pg)
    assert marks(pg) == [AUTHOR, BOOK, PRICE]
    assert log(pg).count(("apply", PRICE)) == 1
    tries = [line for line in result.stderr.splitlines() if "trying again" in line]
    assert tries, "the reader was over before the first try: nothing was shown"
    assert "lock timeout" in tries[0]
    assert "a long report" in tries[0], "it has to say who is in the way"
    assert "with: " in tries[0] and "book" in tries[0].rpartition("with: ")[2], "and with which statement"


def test_a18_a_lock_that_is_not_had_in_time_changes_nothing(pg: Database, folder: Folder) -> None:
    folder.run("apply", BOOK, database=pg)
    with reader(pg, "book", 20):
        started = time.monotonic()
        error = folder.error("apply", "--ddl-lock-timeout", "0.3", database=pg, expect=1)
        assert time.monotonic() - started < 5
        assert "(SQLSTATE 55P03)" in error["message"]
        assert error["file"].endswith(f"{PRICE}.sql")
        assert marks(pg) == [AUTHOR, BOOK]
        assert held_locks(pg) == []
    folder.run("apply", database=pg)


def test_a18_readers_queue_behind_a_waiting_alter_for_no_longer_than_one_try(pg: Database, folder: Folder) -> None:
    folder.run("apply", BOOK, database=pg)
    results: list[Result] = []
    with reader(pg, "book", 20):
        run = threading.Thread(
            target=lambda: results.append(
                subprocess_apply(pg, folder, "--ddl-lock-timeout", "1.5", "--ddl-lock-try", "0.2"),
            )
        )
        run.start()
        worst = 0.0
        while run.is_alive():
            started = time.monotonic()
            pg.query("SELECT count(*) FROM book")
            worst = max(worst, time.monotonic() - started)
        run.join()
    assert results[0].exit_code == 1
    assert worst < 1.4 + 1.0, "a reader waited behind the migration for all of its tries"


def subprocess_apply(database: Database, folder: Folder, *options: str) -> Result:
    done = subprocess.run(
        [sys.executable, "-m", "runner", "-d", database.url, "--sql", str(folder.path), "apply", *options],
        env=clean_environment(None),
        cwd=folder.path.parent,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    return Result(done.returncode, done.stdout, done.stderr)


# Who runs it.


def test_a17_a_user_without_a_name_is_recorded_by_number(
    database: Database, folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nameless() -> str:
        raise KeyError("getpwuid(): uid not found")

    monkeypatch.setattr(getpass, "getuser", nameless)
    identity.user_and_host.cache_clear()
    try:
        folder.run("apply", database=database)
    finally:
        identity.user_and_host.cache_clear()
    assert ledger(database)[AUTHOR]["username"] == str(os.getuid())
    assert database.query("SELECT DISTINCT username FROM _yoyo_log") == [(str(os.getuid()),)]


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become a user without a name")
def test_a17_a_uid_that_the_system_does_not_know_can_apply() -> None:
    uid, own = 12345, Path(tempfile.mkdtemp(prefix="maxwell-uid-"))
    try:
        folder = library(own)
        database = own / "data.db"
        os.chown(own, uid, uid)
        for path in (folder.path, *folder.path.iterdir()):
            os.chown(path, uid, uid)
        warm = library(own / "warm")  # this user may not read the interpreter's own files: all is imported before
        assert maxwell_db("apply", database=f"sqlite:///{own}/warm.db", sql=warm.path).exit_code == 0
        identity.user_and_host.cache_clear()
        child = os.fork()
        if child == 0:
            os.setgroups([])
            os.setgid(uid)
            os.setuid(uid)
            os.environ.clear()
            os.chdir(own)
            os._exit(main(["-d", f"sqlite:///{database}", "--sql", str(folder.path), "-q", "apply"]))
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        with closing(sqlite3.connect(database)) as connection:
            assert connection.execute("SELECT DISTINCT username FROM _maxwell_ledger").fetchall() == [(str(uid),)]
            assert connection.execute("SELECT count(*) FROM _yoyo_migration").fetchall() == [(3,)]
    finally:
        identity.user_and_host.cache_clear()
        shutil.rmtree(own)
