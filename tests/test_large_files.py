"""A large file is one call of the database, and keeps every promise of a small one."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import psycopg2
import pytest
from psycopg2 import extensions

from runner.backend import sqlite as backend
from tests.support.databases import Database
from tests.support.migrations import AUTHOR, BOOK, PRICE, Folder, held_locks, library, marks
from tests.support.tool import ROOT, clean_environment
from tests.test_lock import is_running, start, wait_until

LARGE = "004_large"
ROWS = 2000
INSERTS = "".join(f"INSERT INTO shelf (id, what) VALUES ({n}, 'a shelf; number {n} of many');\n" for n in range(ROWS))
TABLE = "CREATE TABLE shelf (id INTEGER NOT NULL PRIMARY KEY, what TEXT NOT NULL);\n"
DROP = "DROP TABLE shelf;\n"


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    """The library, and a file that is run in one call."""
    own = library(tmp_path)
    own.add(LARGE, TABLE + INSERTS, DROP)
    assert len(INSERTS) > backend.LARGE
    return own


def test_a_large_file_is_applied_and_taken_back(database: Database, folder: Folder) -> None:
    folder.run("apply", database=database)
    assert database.value("SELECT count(*) FROM shelf") == ROWS
    assert marks(database) == [AUTHOR, BOOK, PRICE, LARGE]
    folder.run("rollback", "--yes", database=database)
    assert "shelf" not in database.tables()


@pytest.mark.parametrize("options", [(), ("--gate",)], ids=["plain", "gate"])
def test_the_statement_that_fails_in_it_is_named_and_nothing_of_it_stays(
    database: Database, folder: Folder, options: tuple[str, ...]
) -> None:
    folder.add(LARGE, f"{TABLE}{INSERTS}INSERT INTO shelf (id, what)\nVALUES (7, 'twice');\n{INSERTS}", DROP)
    error = folder.error("apply", *options, database=database, expect=1)
    assert (error["code"], error["line"]) == ("STATEMENT_FAILED", 4 + ROWS)
    assert error["statement"].startswith("INSERT INTO shelf (id, what)\nVALUES (7")
    assert "shelf" not in database.tables()
    assert marks(database) == [AUTHOR, BOOK, PRICE]
    folder.add(LARGE, TABLE + INSERTS, DROP)
    folder.run("apply", database=database)
    assert marks(database) == [AUTHOR, BOOK, PRICE, LARGE]


def test_a_plain_yoyo_at_work_is_waited_for_before_it(database: Database, folder: Folder) -> None:
    folder.run("apply", PRICE, database=database)
    database.script("INSERT INTO yoyo_lock (locked, ctime, pid) VALUES (1, '2026-01-01 00:00:00', 4242)")
    error = folder.error("apply", "--lock-wait", "0.3", database=database, expect=5)
    assert "pid 4242" in error["message"]
    assert "shelf" not in database.tables()
    assert held_locks(database) == [(4242,)]


def test_sqlite_itself_keeps_it_in_its_transaction(
    make_database: Any, folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the text does not show it."""
    from runner.sources import folder as reader

    monkeypatch.setattr(reader, "refuse_transaction_control", lambda *script, **how: None)
    lite = make_database("sqlite")
    for control in ("COMMIT;", "BEGIN;", "ROLLBACK; BEGIN;", "ATTACH ':memory:' AS other;"):
        folder.add(LARGE, f"{TABLE}{INSERTS}{control}\n{INSERTS}", DROP)
        error = folder.error("apply", database=lite, expect=1)
        assert (error["code"], error["line"]) == ("FORBIDDEN_STATEMENT", 4 + ROWS), control
        assert marks(lite) == [AUTHOR, BOOK, PRICE]
        assert "shelf" not in lite.tables()


@pytest.mark.parametrize(("text", "alone"), [("plain", []), ("h\u00f6r", [LARGE])])
def test_sqlite_gets_a_very_large_file_at_once_where_it_is_not_held_in_more_copies(
    make_database: Any, folder: Folder, monkeypatch: pytest.MonkeyPatch, text: str, alone: list[str]
) -> None:
    lite, by_statement = make_database("sqlite"), list[str]()
    monkeypatch.setattr(backend, "VERY_LARGE", backend.LARGE)
    run_statements = backend.SqliteBackend._run_statements

    def statements(self: Any, script: Any) -> None:
        by_statement.append(script.path.stem)
        run_statements(self, script)

    monkeypatch.setattr(backend.SqliteBackend, "_run_statements", statements)
    folder.add(LARGE, f"{TABLE}{INSERTS}INSERT INTO shelf (id, what) VALUES (-1, '{text}');\n", DROP)
    folder.run("apply", database=lite)
    assert by_statement == [AUTHOR, BOOK, PRICE, *alone]
    assert lite.value("SELECT what FROM shelf WHERE id = -1") == text


MANY = "".join(
    f"INSERT INTO shelf (id, what) VALUES ({n}, 'one of many, none of which takes long');\n" for n in range(400_000)
)


@pytest.mark.parametrize(
    ("first", "options"),
    [("", ()), ("INSERT INTO shelf VALUES (-1, '\\');\n", ()), ("", ("--single-transaction",))],
    ids=["in one call", "watched", "statement by statement"],
)
def test_a_signal_between_two_of_its_short_statements_stops_it(
    make_database: Any, folder: Folder, first: str, options: tuple[str, ...]
) -> None:
    """SQLite forgets an interrupt that comes when no statement runs."""
    lite = make_database("sqlite")
    folder.run("apply", PRICE, database=lite)
    folder.add(LARGE, f"{TABLE}{first}{MANY}", DROP)
    before = lite.path.read_bytes()
    run = start("apply", "--no-verify", *options, database=lite, folder=folder)
    try:
        wait_until(lambda: is_running(lite), "the large file does not begin")
        run.send_signal(signal.SIGINT)
        _, stderr = run.communicate(timeout=60)
        assert run.returncode == 130, stderr
        assert "interrupted; what was running is rolled back" in stderr and "Traceback" not in stderr
    finally:
        run.kill()
        run.communicate()
    assert lite.path.read_bytes() == before


WITHOUT_LOCATE = """
import sys
from runner.cli import main
from runner.dialects import postgres
postgres.locate = lambda *given: print("looked for", file=sys.stderr)
sys.exit(main(sys.argv[1:]))
"""


def test_the_statement_that_a_signal_cancelled_is_not_looked_for(
    make_database: Any, pg_url: str, folder: Folder
) -> None:
    """Python takes seconds to tell the statements of a large file apart."""
    pg = make_database("postgres")
    folder.add(LARGE, f"{TABLE}SELECT pg_sleep(20);\n", DROP)
    command = [sys.executable, "-c", WITHOUT_LOCATE, "--database", pg.url, "--sql", str(folder.path), "apply"]
    run = subprocess.Popen(command, cwd=ROOT, env=clean_environment(None), stderr=subprocess.PIPE, text=True)
    try:
        wait_until(lambda: is_running(pg), "the slow statement does not begin")
        run.send_signal(signal.SIGINT)
        _, stderr = run.communicate(timeout=20)
        assert run.returncode == 130 and "interrupted" in stderr and "looked for" not in stderr
    finally:
        run.kill()
        run.communicate()


def test_a_commit_behind_a_byte_order_mark_does_not_get_by(make_database: Any, folder: Folder) -> None:
    """SQLite takes the mark for white space, wherever it stands."""
    lite = make_database("sqlite")
    folder.add(LARGE, f"{TABLE}{INSERTS}\ufeffCOMMIT;\n{INSERTS}", DROP)
    error = folder.error("apply", database=lite, expect=1)
    assert (error["code"], error["line"]) == ("FORBIDDEN_STATEMENT", 4 + ROWS)
    assert marks(lite) == [AUTHOR, BOOK, PRICE]


@pytest.mark.parametrize("rest", [TABLE + INSERTS, TABLE], ids=["large", "small"])
def test_what_it_breaks_is_seen_before_the_commit(make_database: Any, folder: Folder, rest: str) -> None:
    lite = make_database("sqlite")
    folder.run("apply", PRICE, database=lite)
    lite.script("CREATE VIEW names AS SELECT name FROM author")
    folder.add(LARGE, f"DROP VIEW names;\nCREATE VIEW names AS SELECT nobody FROM author;\n{rest}", DROP)
    assert folder.error("apply", database=lite, expect=1)["code"] == "BROKEN_OBJECT"
    assert marks(lite) == [AUTHOR, BOOK, PRICE]


def test_a_parent_that_it_takes_away_is_missed_before_the_commit(make_database: Any, folder: Folder) -> None:
    lite = make_database("sqlite")
    folder.add(LARGE, f"DROP TABLE author;\n{TABLE}{INSERTS}", DROP)
    assert folder.error("apply", database=lite, expect=1)["code"] == "BROKEN_OBJECT"
    assert marks(lite) == [AUTHOR, BOOK, PRICE]


def test_postgres_gets_a_migration_in_three_round_trips(
    make_database: Any, pg_url: str, folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    pg = make_database("postgres")
    folder.run("apply", AUTHOR, database=pg)
    sent: list[str] = []

    class Cursor(extensions.cursor):
        def execute(self, query: Any, vars: Any = None) -> None:
            sent.append(query.decode() if isinstance(query, bytes) else query)
            super().execute(query, vars)

    connect = psycopg2.connect
    monkeypatch.setattr(
        psycopg2, "connect", lambda *given, **options: connect(*given, **options, cursor_factory=Cursor)
    )
    folder.run("apply", "--no-verify", database=pg)
    begun = [number for number, query in enumerate(sent) if query.startswith("BEGIN")]
    assert len(begun) == 3
    for number in begun:
        first, second, third = sent[number : number + 3]
        assert "yoyo_lock" in first
        assert "-- What 00" in second
        assert third.endswith("COMMIT") and "_maxwell_ledger" in third


@pytest.fixture
def very_large(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is sent to PostgreSQL in pieces begins earlier."""
    from runner.backend import postgres as pg_backend
    from runner.dialects import postgres as pg_dialect

    monkeypatch.setattr(pg_dialect, "LARGE", 10_000)
    monkeypatch.setattr(pg_backend, "PIECE", 5_000)


@pytest.mark.usefixtures("very_large")
def test_a_file_sent_to_postgres_in_pieces_is_one_transaction(make_database: Any, pg_url: str, folder: Folder) -> None:
    pg = make_database("postgres")
    folder.run("apply", database=pg)
    assert pg.value("SELECT count(*) FROM shelf") == ROWS
    folder.run("rollback", "--yes", database=pg)
    folder.add(LARGE, f"{TABLE}{INSERTS}INSERT INTO shelf (id, what)\nVALUES (7, 'twice');\n", DROP)
    error = folder.error("apply", database=pg, expect=1)
    assert error["code"] == "STATEMENT_FAILED"
    assert 4 + ROWS - 100 < error["line"] <= 4 + ROWS
    assert "shelf" not in pg.tables()
    folder.add(LARGE, f"{TABLE}{INSERTS}INSERT INTO shelfs (id) VALUES (7);\n", DROP)
    assert folder.error("apply", database=pg, expect=1)["line"] == 4 + ROWS
    assert marks(pg) == [AUTHOR, BOOK, PRICE]
