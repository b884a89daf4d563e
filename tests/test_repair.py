"""What a run left open is settled by ``repair``, and a dead yoyo's lock row by ``unlock``."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.databases import Database
from tests.support.migrations import Folder
from tests.support.tool import maxwell_db

INDEX = "CREATE INDEX CONCURRENTLY note_body ON note (body);\n"
DROP = "DROP INDEX CONCURRENTLY note_body;\n"


@pytest.fixture
def notes(tmp_path: Path) -> Folder:
    folder = Folder(tmp_path / "notes")
    folder.add("1_note", "CREATE TABLE note (id INTEGER NOT NULL PRIMARY KEY, body TEXT);\n", "DROP TABLE note;\n")
    return folder


@pytest.fixture
def pg(make_database: Callable[[str], Database], pg_url: str) -> Database:
    return make_database("postgres")


def die_inside(database: Database, folder: Folder, id: str) -> None:
    """Leave what a run leaves that is killed inside a statement outside a transaction: the journal's row, no mark."""
    folder.run("apply", database=database)
    database.script(
        f"UPDATE _maxwell_ledger SET operation = 'unfinished' WHERE migration_id = '{id}';"
        f"DELETE FROM _yoyo_migration WHERE migration_id = '{id}';"
    )
    assert folder.states(database)[id] == "unfinished"


def test_an_index_that_is_there_is_recorded_as_applied(pg: Database, notes: Folder) -> None:
    notes.add("2_index", INDEX, DROP, transactional="false")
    die_inside(pg, notes, "2_index")
    answer = notes.run("repair", "--json", database=pg).json()
    assert [(one["id"], one["settled"]) for one in answer["repairs"]] == [("2_index", True)]
    assert notes.states(pg)["2_index"] == "applied"


def test_an_invalid_index_is_dropped_and_pending_again(pg: Database, notes: Folder) -> None:
    notes.add("2_index", INDEX, DROP, transactional="false")
    die_inside(pg, notes, "2_index")
    pg.script("UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'note_body'::regclass")
    assert "left invalid, and is dropped" in notes.run("repair", database=pg).stdout
    assert pg.value("SELECT to_regclass('note_body')") is None
    assert notes.states(pg)["2_index"] == "pending"
    notes.run("apply", database=pg)
    assert notes.states(pg)["2_index"] == "applied"


def test_an_index_that_never_came_is_pending_again(pg: Database, notes: Folder) -> None:
    notes.add("2_index", INDEX, DROP, transactional="false")
    die_inside(pg, notes, "2_index")
    pg.script("DROP INDEX note_body")
    notes.run("repair", database=pg)
    assert notes.states(pg)["2_index"] == "pending"


def test_what_cannot_be_told_is_left_to_a_person(database: Database, notes: Folder) -> None:
    notes.add("2_vacuum", "VACUUM;\n", "VACUUM;\n", transactional="false")
    die_inside(database, notes, "2_vacuum")
    assert "say --as applied or --as pending" in notes.run("repair", database=database, expect=8).stdout
    assert notes.states(database)["2_vacuum"] == "unfinished"
    notes.run("repair", "--as", "applied", database=database)
    assert notes.states(database)["2_vacuum"] == "applied"
    assert "Nothing to repair" in notes.run("repair", database=database).stdout


def test_a_cosmetic_edit_is_recorded_anew(database: Database, notes: Folder) -> None:
    notes.run("apply", database=database)
    path = notes.path / "1_note.sql"
    path.write_text(path.read_text().replace("(id", "(\n    id") + "-- the end\n")
    assert notes.states(database)["1_note"] == "cosmetic"
    notes.run("repair", database=database)
    assert notes.states(database)["1_note"] == "applied"


def test_a_changed_file_is_recorded_anew_only_when_it_is_accepted(database: Database, notes: Folder) -> None:
    notes.run("apply", database=database)
    path = notes.path / "1_note.sql"
    path.write_text(path.read_text().replace("body TEXT", "body VARCHAR(9)"))
    assert "--accept 1_note" in notes.run("repair", database=database, expect=6).stdout
    assert notes.states(database)["1_note"] == "changed"
    assert notes.error("repair", "--accept", "nobody", database=database, expect=2)["code"] == "UNKNOWN_TARGET"
    notes.run("repair", "--accept", "1_note", database=database)
    assert notes.states(database)["1_note"] == "applied"
    notes.run("apply", database=database)


def test_unlock_removes_the_row_of_a_dead_yoyo_and_nothing_else(database: Database, notes: Folder) -> None:
    notes.run("apply", database=database)
    assert "Nothing to unlock" in notes.run("unlock", database=database).stdout
    database.script(f"INSERT INTO yoyo_lock (locked, ctime, pid) VALUES (1, '2020-01-01 00:00:00', {dead_pid()})")
    notes.add("2_more", "CREATE TABLE more (id INTEGER);\n", "DROP TABLE more;\n")
    assert "a plain yoyo run" in notes.error("apply", "--lock-wait", "0", database=database, expect=5)["message"]
    answer = notes.run("unlock", "--json", database=database).json()
    assert (answer["changed"], answer["since"]) == (True, "2020-01-01T00:00:00Z")
    assert database.query("SELECT * FROM yoyo_lock") == []
    notes.run("apply", database=database)


def test_unlock_refuses_a_live_yoyo(database: Database, notes: Folder, tmp_path: Path) -> None:
    notes.run("apply", database=database)
    with living_yoyo(database, tmp_path) as pid:
        error = notes.error("unlock", database=database, expect=5)
        assert (error["code"], str(pid) in error["message"]) == ("LOCK_HELD", True)
        assert database.value("SELECT pid FROM yoyo_lock") == pid
        notes.run("unlock", "--force", database=database)
        assert database.query("SELECT * FROM yoyo_lock") == []


def test_unlock_refuses_what_it_may_not_see(pg: Database, notes: Folder, tmp_path: Path) -> None:
    notes.run("apply", database=pg)
    role = f"weak_{os.getpid()}"
    pg.script(f"CREATE ROLE {role} LOGIN; GRANT SELECT, DELETE ON yoyo_lock TO {role}")
    try:
        with living_yoyo(pg, tmp_path):
            weak = pg.url.replace("//postgres:@", f"//{role}@").replace("//postgres@", f"//{role}@")
            assert role in weak, "the test's server is entered by another name"
            result = maxwell_db("unlock", "--json", database=weak, sql=notes.path)
            error = result.json()["error"]
            assert (result.exit_code, error["code"]) == (5, "LOCK_HELD"), error["message"]
    finally:
        pg.script(f"DROP OWNED BY {role}; DROP ROLE {role}")


def test_unlock_makes_no_database(tmp_path: Path, notes: Folder) -> None:
    result = maxwell_db("unlock", "--json", database=f"sqlite:///{tmp_path}/no.db", sql=notes.path)
    assert (result.exit_code, result.json()["error"]["code"]) == (2, "NO_SUCH_DATABASE")
    assert not (tmp_path / "no.db").exists()


def dead_pid() -> int:
    done = subprocess.Popen([sys.executable, "-c", ""])
    done.wait()
    return done.pid


@contextmanager
def living_yoyo(database: Database, folder: Path) -> Iterator[int]:
    """A process that holds yoyo's lock as yoyo does, by yoyo's own code."""
    ready = folder / "ready"
    code = (
        "import pathlib, time, yoyo\n"
        f"backend = yoyo.get_backend({database.url!r})\n"
        "with backend.lock():\n"
        f"    pathlib.Path({str(ready)!r}).touch(); time.sleep(60)\n"
    )
    holder = subprocess.Popen([sys.executable, "-c", code], env=dict(os.environ))
    try:
        while not ready.exists():
            assert holder.poll() is None
            time.sleep(0.05)
        yield holder.pid
    finally:
        holder.kill()
        holder.wait()
