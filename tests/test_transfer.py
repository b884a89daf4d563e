"""A transfer is whole and proven, or nothing: what is settled on purpose, what stays as it was, who may do it."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import pytest

from tests.support.databases import Database, run_as_admin
from tests.support.folders import Folder, footprint
from tests.support.maxwell_rows import sample_rows
from tests.support.maxwell_schema import HEAD, MIGRATIONS, POSTGRES_ONLY, raw_catalog, run_up_to
from tests.support.tool import MAXWELL, maxwell_db
from tests.support.transfers import Pair, make_pair

MakeDatabase = Callable[[str], Database]


@pytest.fixture
def maxwell(tmp_path: Path) -> Pair:
    """Maxwell's sample in a source at its newest version."""
    pair = Pair(MAXWELL, tmp_path / "maxwell.db")
    pair.apply_source()
    pair.database.script(sample_rows(HEAD))
    return pair


@pytest.fixture
def things(tmp_path: Path) -> Pair:
    """A source with a few clean rows."""
    pair = make_pair(tmp_path)
    pair.run(
        "INSERT INTO place VALUES ('p', 'Harbour')",
        "INSERT INTO thing VALUES ('a', 1, 'n', 'body', '2024-01-01 00:00:00', 1, 1.5, 'p', NULL)",
    )
    return pair


def every_row(database: Database) -> dict[str, list[str]]:
    """All rows of the user's tables, as text in the form that both dialects give."""
    rows: dict[str, list[str]] = {}
    for table in sorted(database.tables()):
        rows[table] = sorted(map(_as_text, database.query(f'SELECT * FROM "{table}"')))
    return rows


def _as_text(row: tuple[Any, ...]) -> str:
    return repr([None if value is None else str(int(value) if isinstance(value, bool) else value) for value in row])


# The whole of Maxwell.


def test_maxwell_goes_over_whole_and_its_catalog_is_that_of_its_migrations(
    maxwell: Pair, make_database: MakeDatabase
) -> None:
    target, files_alone = make_database("postgres"), make_database("postgres")
    answer = maxwell.answer(target)
    assert answer["version"] == HEAD and answer["rows"] == 49 and answer["changed"] is True
    assert answer["migrated"] == [*(migration.id for migration in MIGRATIONS), POSTGRES_ONLY.id]
    assert every_row(target) == every_row(maxwell.database)
    run_up_to(files_alone, HEAD)
    assert raw_catalog(target) == raw_catalog(files_alone)
    assert all(table["rows"] == len(every_row(target)[name]) for name, table in answer["tables"].items())
    status = maxwell_db("--json", "status", database=target).json()
    assert (status["version"], status["pending"]) == (POSTGRES_ONLY.version, 0)
    assert maxwell_db("verify", database=target, sql=None).exit_code == 0
    assert target.value("SELECT reltuples::int FROM pg_class WHERE relname = 'scenes'") == 5  # ANALYZE was run


def test_the_history_tells_of_it_and_the_record_has_every_checksum(maxwell: Pair, make_database: MakeDatabase) -> None:
    target = make_database("postgres")
    answer = maxwell.answer(target)
    entry = maxwell_db("--json", "history", database=target).json()["history"][-1]
    assert (entry["operation"], entry["id"], entry["version"]) == ("transfer", f"sqlite:///{maxwell.source}", HEAD)
    assert entry["verify"] == "passed" and len(entry["apply_sha256"]) == 64 and entry["duration_ms"] > 0
    text = maxwell_db("history", database=target).stdout.splitlines()[-1]
    assert "transfer" in text and "maxwell.db" in text
    ((tables, mapped, rows),) = target.query("SELECT tables, mapped, total_rows FROM _maxwell_transfer")
    assert json.loads(tables) == answer["tables"] and json.loads(mapped) == [] and rows == 49


def test_an_older_source_goes_to_its_own_version_and_the_table_of_2_0_0_comes_later(
    tmp_path: Path, make_database: MakeDatabase
) -> None:
    pair = Pair(MAXWELL, tmp_path / "old.db")
    pair.apply_source("1.1.0")
    pair.database.script(sample_rows("1.1.0"))
    target = make_database("postgres")
    assert pair.answer(target)["version"] == "1.1.0"
    assert maxwell_db("--json", "status", database=target).json()["version"] == "1.1.0"
    by_hand = target.query(_COLUMNS)
    assert maxwell_db("apply", database=target).exit_code == 0
    assert target.value("SELECT count(*) FROM _maxwell_transfer") == 1
    fresh = make_database("postgres")
    assert maxwell_db("apply", database=fresh).exit_code == 0
    assert by_hand == fresh.query(_COLUMNS)  # whoever makes the table, it is the same


_COLUMNS = (
    "SELECT attname::text, format_type(atttypid, atttypmod), attnotnull FROM pg_attribute"
    " WHERE attrelid = '_maxwell_transfer'::regclass AND attnum > 0 ORDER BY attnum"
)


def test_a_migrated_empty_target_is_taken_and_a_second_transfer_is_refused(
    maxwell: Pair, make_database: MakeDatabase
) -> None:
    target = make_database("postgres")
    maxwell.apply_target(target)
    before = raw_catalog(target)
    assert maxwell.answer(target, "--no-migrate")["migrated"] == []
    assert raw_catalog(target) == before
    state = footprint(target)
    assert maxwell.answer(target, expect=2)["error"]["code"] == "TARGET_NOT_EMPTY"
    assert footprint(target) == state


def test_a_dry_run_writes_nothing_and_says_that_all_fits(maxwell: Pair, make_database: MakeDatabase) -> None:
    target = make_database("postgres")
    before, source = footprint(target), maxwell.source.read_bytes()
    result = maxwell.transfer(target, "--dry-run")
    assert "Everything fits: 16 tables, 49 rows. Nothing was written." in result.stdout
    assert footprint(target) == before and maxwell.source.read_bytes() == source
    assert maxwell.answer(target, "--no-migrate", expect=6)["error"]["code"] == "VERSION_MISMATCH"


def test_a_check_that_finds_the_data_broken_rolls_everything_back(maxwell: Pair, make_database: MakeDatabase) -> None:
    maxwell.run("UPDATE travel_legs SET character_id = 'nowhere'")  # a soft reference, no foreign key
    target = make_database("postgres")
    before = footprint(target)
    error = maxwell.answer(target, expect=4)["error"]
    assert error["code"] == "VIOLATIONS_FOUND" and "leg-character" in error["message"]
    assert footprint(target) == before
    assert maxwell.answer(target, "--no-verify")["verify"] is None


# Seeds, sequences, generated and unusual tables.


def test_rows_that_a_migration_inserts_come_once(tmp_path: Path, make_database: MakeDatabase) -> None:
    seeded = "CREATE TABLE genre (id INTEGER PRIMARY KEY, name TEXT);\nINSERT INTO genre VALUES (1, 'epic');\n"
    pair = make_pair(tmp_path, seeded, seeded)
    pair.run("INSERT INTO genre VALUES (2, 'ode')", "UPDATE genre SET name = 'saga' WHERE id = 1")
    target = make_database("postgres")
    pair.answer(target)
    assert target.query("SELECT * FROM genre ORDER BY id") == [(1, "saga"), (2, "ode")]


def test_sequences_go_on_behind_the_last_row_also_behind_one_that_is_gone(
    tmp_path: Path, make_database: MakeDatabase
) -> None:
    pair = make_pair(
        tmp_path,
        "CREATE TABLE a (id INTEGER PRIMARY KEY AUTOINCREMENT, x TEXT);\nCREATE TABLE b (id INTEGER PRIMARY KEY);\n"
        "CREATE TABLE c (id INTEGER PRIMARY KEY);\n",
        "CREATE TABLE a (id SERIAL PRIMARY KEY, x TEXT);\n"
        "CREATE TABLE b (id INTEGER GENERATED ALWAYS AS IDENTITY PRIMARY KEY);\n"
        "CREATE SEQUENCE shared;\nCREATE TABLE c (id INTEGER DEFAULT nextval('shared') PRIMARY KEY);\n",
    )
    pair.run(
        "INSERT INTO a (id) VALUES (3), (9)",
        "DELETE FROM a WHERE id = 9",
        "INSERT INTO b VALUES (41)",
        "INSERT INTO c VALUES (6)",
    )
    target = make_database("postgres")
    pair.answer(target)
    for table, next_ in (("a", 10), ("b", 42), ("c", 7)):
        assert target.value(f"INSERT INTO {table} DEFAULT VALUES RETURNING id") == next_


def test_unusual_tables_go_over(tmp_path: Path, make_database: MakeDatabase) -> None:
    pair = make_pair(
        tmp_path,
        "CREATE TABLE pair (a TEXT, b INTEGER, note TEXT, PRIMARY KEY (a, b)) WITHOUT ROWID;\n"
        "CREATE TABLE shape (w INTEGER, h INTEGER, area INTEGER GENERATED ALWAYS AS (w * h) VIRTUAL);\n"
        "CREATE TABLE rowid (rowid TEXT, x INTEGER);\nCREATE TABLE logged (day DATE, body TEXT);\n",
        "CREATE TABLE pair (a TEXT, b INTEGER, note TEXT, PRIMARY KEY (a, b));\n"
        "CREATE TABLE shape (w INTEGER, h INTEGER, area INTEGER GENERATED ALWAYS AS (w * h) STORED);\n"
        "CREATE TABLE rowid (rowid TEXT, x INTEGER);\n"
        "CREATE TABLE logged (day DATE, body TEXT) PARTITION BY RANGE (day);\n"
        "CREATE TABLE logged_1 PARTITION OF logged FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');\n"
        "CREATE TABLE logged_2 PARTITION OF logged DEFAULT;\n",
    )
    pair.run(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 900)"
        " INSERT INTO pair SELECT 'k' || i % 7, i, CASE i % 3 WHEN 0 THEN NULL ELSE 'n' || i END FROM n",
        "INSERT INTO shape (w, h) VALUES (3, 4)",
        "INSERT INTO rowid (rowid, x) VALUES ('r', 1)",
        "INSERT INTO logged VALUES ('2024-05-05', 'in'), ('2023-05-05', 'out')",
    )
    target = make_database("postgres")
    pair.answer(target)
    assert every_row(target) | {"logged_1": [], "logged_2": []} == every_row(pair.database) | {
        "logged_1": [],
        "logged_2": [],
        "shape": ["['3', '4', '12']"],
    }


def test_rows_and_texts_of_every_size_go_over(tmp_path: Path, make_database: MakeDatabase) -> None:
    """Sparse rowids, negative ones, texts of megabytes beside empty ones: the chunks follow."""
    tables = "CREATE TABLE t (id BIGINT, body TEXT);\n"
    pair = make_pair(tmp_path, tables, tables)
    with closing(sqlite3.connect(pair.source)) as connection:
        rows = [(-(2**62) + i * 2**50, i, "é" * (3_000_000 if i in (70, 1500) else i % 50)) for i in range(3000)]
        connection.executemany("INSERT INTO t (rowid, id, body) VALUES (?, ?, ?)", rows)
        connection.execute("INSERT INTO t VALUES (-1, ?)", ("x" * 20_000_000,))
        connection.commit()
    target = make_database("postgres")
    assert pair.answer(target)["rows"] == 3001
    assert target.value("SELECT sum(length(body)) FROM t") == sum(len(body) for *_, body in rows) + 20_000_000


def test_what_could_not_be_put_back_word_for_word_stays_where_it_is(
    tmp_path: Path, make_database: MakeDatabase
) -> None:
    pair = make_pair(
        tmp_path,
        "CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT UNIQUE, up INTEGER REFERENCES t (id));\n",
        "CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT, up INTEGER,\n"
        "    CONSTRAINT named UNIQUE (name) DEFERRABLE INITIALLY DEFERRED,\n"
        "    CONSTRAINT up_there FOREIGN KEY (up) REFERENCES t (id) ON DELETE SET NULL DEFERRABLE);\n"
        "CREATE INDEX told_of ON t (lower(name)) WHERE up IS NULL;\nCOMMENT ON INDEX told_of IS 'why';\n"
        "CREATE INDEX filled ON t (name DESC NULLS LAST) INCLUDE (up) WITH (fillfactor = 70);\n"
        "CLUSTER t USING filled;\n"
        "CREATE VIEW v AS SELECT id, name, count(up) FROM t GROUP BY id;\n"
        "ALTER TABLE t ADD CONSTRAINT later CHECK (id > 0) NOT VALID;\n",
    )
    pair.run("INSERT INTO t VALUES (1, 'a', 2), (2, 'b', NULL)")
    target = make_database("postgres")
    pair.apply_target(target)
    before = raw_catalog(target), target.query("SELECT obj_description('told_of'::regclass)")
    pair.answer(target, "--no-verify")
    assert (raw_catalog(target), target.query("SELECT obj_description('told_of'::regclass)")) == before


def test_what_the_server_alone_can_refuse_is_told_with_its_words(tmp_path: Path, make_database: MakeDatabase) -> None:
    pair = make_pair(
        tmp_path,
        "CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT);\n",
        "CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT CHECK (name <> 'no'));\n"
        "CREATE UNIQUE INDEX folded ON t (lower(name));\n",
    )
    target = make_database("postgres")
    before = footprint(target)
    pair.run("INSERT INTO t VALUES (1, 'no')")
    error = pair.answer(target, expect=9)["error"]
    assert error["code"] == "DATA_REFUSED" and "t_name_check" in error["message"]
    pair.run("UPDATE t SET name = 'A'", "INSERT INTO t VALUES (2, 'a')")
    error = pair.answer(target, expect=9)["error"]
    assert error["code"] == "DATA_REFUSED" and "folded" in error["message"]
    assert footprint(target) == before


# Settled on purpose.


def with_map(pair: Pair, text: str) -> Path:
    path = pair.source.with_name("map.toml")
    path.write_text(text)
    return path


EVERYTHING = """
lost = "lost.jsonl"

[everywhere]
too-long = "cut"
nul-character = "remove"
invalid-utf8 = "latin1"
not-a-boolean = "words"
fraction = "round"
time-zone = "to-utc"
fine-fraction = "cut"
bad-date = "null"
not-a-number = "null"
out-of-range = "quarantine"

[table.thing]
epoch = "seconds"

[column."thing.place_id"]
orphan = "null"

[column."thing.parent_id"]
orphan = "quarantine"

[column."thing.body"]
blob-in-text = "hex"
number-in-text = "text"
"""


def test_a_map_settles_each_kind_and_says_what_was_lost(things: Pair, make_database: MakeDatabase) -> None:
    things.run(
        "INSERT INTO thing (id, name) VALUES ('cut', 'elevenchars')",
        "INSERT INTO thing (id, body) VALUES ('nul', 'a' || char(0) || 'b'), ('hex', x'00ff'),"
        " ('latin', CAST(x'e9' AS TEXT))",
        "INSERT INTO thing (id, done) VALUES ('yes', 'Yes')",
        "INSERT INTO thing (id, number) VALUES ('round', 2.5), ('null', 'many'), ('far', 4294967296)",
        "INSERT INTO thing (id, at) VALUES ('zone', '2024-01-01T01:30:00+02:00'), ('epoch', 1700000000.25),"
        " ('fine', '2024-01-01 10:00:00.123456789'), ('none', 'soon')",
        "INSERT INTO thing (id, place_id) VALUES ('orphan', 'nowhere')",
        "INSERT INTO thing (id, parent_id) VALUES ('gone', 'far'), ('gone too', 'gone')",
    )
    target = make_database("postgres")
    path = with_map(things, EVERYTHING)
    answer = things.answer(target, "--map", str(path), "--yes")
    rows = {
        row[0]: row[1:] for row in target.query("SELECT id, number, name, body, at::text, done, place_id FROM thing")
    }
    assert rows == {
        "a": (1, "n", "body", "2024-01-01 00:00:00", True, "p"),
        "cut": (None, "elevenchar", None, None, None, None),
        "nul": (None, None, "ab", None, None, None),
        "hex": (None, None, "00ff", None, None, None),
        "latin": (None, None, "é", None, None, None),
        "yes": (None, None, None, None, True, None),
        "round": (2, None, None, None, None, None),
        "null": (None, None, None, None, None, None),
        "zone": (None, None, None, "2023-12-31 23:30:00", None, None),
        "epoch": (None, None, None, "2023-11-14 22:13:20.25", None, None),
        "fine": (None, None, None, "2024-01-01 10:00:00.123456", None, None),
        "none": (None, None, None, None, None, None),
        "orphan": (None, None, None, None, None, None),
    }
    assert all(one["action"] for one in answer["findings"])
    lost = [json.loads(line) for line in path.with_name("lost.jsonl").read_text().splitlines()]
    assert {line["key"] for line in lost} == {
        *("cut", "nul", "round", "null", "fine", "none", "orphan", "far", "gone", "gone too")
    }
    assert next(line for line in lost if line["key"] == "cut")["value"] == "elevenchars"
    assert next(line for line in lost if line["key"] == "far" and "row" in line)["row"]["number"] == 4294967296
    ((mapped, text),) = target.query("SELECT mapped, map_text FROM _maxwell_transfer")
    assert text == EVERYTHING and {
        "kind": "too-long",
        "table": "thing",
        "column": "name",
        "count": 1,
        "action": "cut",
    } in (json.loads(mapped))
    # The record knows the map: what was settled then is settled now.
    assert things.answer(target, "--verify-only")["differences"] == []


def test_a_map_that_loses_is_asked_about_and_never_overwrites_what_was_lost(
    things: Pair, make_database: MakeDatabase
) -> None:
    things.run("INSERT INTO thing (id, name) VALUES ('cut', 'elevenchars')")
    target = make_database("postgres")
    path = with_map(things, 'lost = "lost.jsonl"\n[everywhere]\ntoo-long = "cut"\n')
    before = footprint(target)
    assert things.answer(target, "--map", str(path), expect=2)["error"]["code"] == "NOT_CONFIRMED"
    path.with_name("lost.jsonl").write_text("mine")
    assert things.answer(target, "--map", str(path), "--yes", expect=2)["error"]["code"] == "FILE_EXISTS"
    assert footprint(target) == before and path.with_name("lost.jsonl").read_text() == "mine"
    path.with_name("lost.jsonl").unlink()
    assert things.answer(target, "--map", str(path), "--dry-run")["findings"][0]["action"] == "cut"
    assert footprint(target) == before and not path.with_name("lost.jsonl").exists()


def test_what_a_map_does_not_name_is_still_refused_and_a_table_may_be_left_out(
    things: Pair, make_database: MakeDatabase
) -> None:
    things.run("CREATE TABLE notes (body TEXT)", "INSERT INTO thing (id, name) VALUES ('x', 'elevenchars')")
    target = make_database("postgres")
    path = with_map(things, '[everywhere]\nextra-table = "skip"\n')
    answer = things.answer(target, "--map", str(path), "--yes", expect=9)
    assert [(one["kind"], one["action"]) for one in answer["findings"]] == [("too-long", None), ("extra-table", "skip")]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[everywhere]\nto-long = 'cut'\n", "there is no kind 'to-long'"),
        ("[everywhere]\norphan = 'cut'\n", "the actions are null, quarantine"),
        ("[everywhere]\norphan = 'null'\n", 'lost = "FILE"'),
        ("[columns]\n", "'columns' means nothing"),
        ("[column.thing]\norphan = 'null'\n", "TABLE.COLUMN"),
        ("everywhere = 1\n", "a table of kinds"),
        ("[everywhere\n", "cannot be read"),
    ],
)
def test_a_map_with_a_mistake_is_refused_by_name(
    things: Pair, make_database: MakeDatabase, text: str, words: str
) -> None:
    path = with_map(things, text)
    error = things.answer(make_database("postgres"), "--map", str(path), expect=2)["error"]
    assert (error["code"], error["file"]) == ("BAD_MAP", str(path)) and words in error["message"]


# Freezing, and looking again.


def test_a_frozen_source_refuses_every_write_and_can_be_thawed(maxwell: Pair, make_database: MakeDatabase) -> None:
    target = make_database("postgres")
    rows, before = every_row(maxwell.database), raw_catalog(maxwell.database)
    assert maxwell.answer(target, "--freeze-source")["frozen"] > 16
    with maxwell.database.connect() as connection:
        for statement in (
            "INSERT INTO scenes (id, position) VALUES ('x', 1)",
            "UPDATE scenes SET position = 1",
            "DELETE FROM travel_legs",
            "REPLACE INTO manuscripts (id, title) VALUES ('x', 'x')",
            "DELETE FROM _yoyo_migration",
        ):
            with pytest.raises(sqlite3.IntegrityError, match=r"frozen by maxwell-db .* the data are in postgresql://"):
                connection.execute(statement)
    assert every_row(maxwell.database) == rows
    assert maxwell_db("rollback", "--yes", database=maxwell.database).exit_code == 1
    assert maxwell_db("--json", "status", database=maxwell.database).json()["version"] == HEAD
    assert maxwell_db("verify", database=maxwell.database, sql=None).exit_code == 0
    assert maxwell.answer(target, "--verify-only")["differences"] == []
    thawed = maxwell_db("--json", "transfer", "--unfreeze", "--from", f"sqlite:///{maxwell.source}").json()
    assert thawed["unfrozen"] > 0 and raw_catalog(maxwell.database) == before
    maxwell.run("UPDATE scenes SET position = position")


def test_a_source_that_cannot_be_frozen_is_told_of_and_can_be_frozen_later(
    things: Pair, make_database: MakeDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    from runner.dialects import sqlite

    monkeypatch.setattr(sqlite, "BUSY_SECONDS", 0.2)
    target = make_database("postgres")
    with things.database.connect() as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM thing").fetchall()  # in this journal mode no writer can commit beside it
        error = things.answer(target, "--freeze-source", expect=1)["error"]
        assert error["code"] == "NOT_FROZEN" and "the target is whole" in error["message"]
    assert target.value("SELECT count(*) FROM _maxwell_transfer") == 1
    assert things.answer(target, "--verify-only", "--freeze-source")["frozen"]


def test_nothing_is_frozen_where_the_transfer_fails(things: Pair, make_database: MakeDatabase) -> None:
    things.run("INSERT INTO thing (id, number) VALUES ('x', 'many')")
    things.answer(make_database("postgres"), "--freeze-source", expect=9)
    things.run("UPDATE thing SET number = 1")


def test_verify_only_names_what_differs_by_table_column_and_key(maxwell: Pair, make_database: MakeDatabase) -> None:
    target = make_database("postgres")
    maxwell.answer(target)
    state = footprint(target)
    assert maxwell.answer(target, "--verify-only")["changed"] is False
    assert footprint(target) == state
    ids = [id for (id,) in target.query("SELECT id FROM snapshots ORDER BY id")]
    target.script(
        "UPDATE scenes SET word_count = 99 WHERE content IS NULL; DELETE FROM feedback_patterns;"
        # Two values that changed places: every column's values are the same as before.
        f"UPDATE snapshots SET git_commit_hash = CASE id WHEN '{ids[0]}' THEN"
        f" (SELECT git_commit_hash FROM snapshots WHERE id = '{ids[1]}') ELSE"
        f" (SELECT git_commit_hash FROM snapshots WHERE id = '{ids[0]}') END WHERE id IN ('{ids[0]}', '{ids[1]}')"
    )
    answer = maxwell.answer(target, "--verify-only", "--no-verify", expect=4)
    assert answer["error"]["code"] == "NOT_PROVEN"
    found = {(one["table"], one["column"], one["key"]) for one in answer["differences"] if one["key"]}
    assert ("scenes", "word_count", "'0b000000-0000-4000-8000-000000000022'") in found
    assert {("snapshots", "git_commit_hash", f"'{id}'") for id in ids[:2]} <= found
    assert any(table == "feedback_patterns" and column is None for table, column, _ in found)


def test_a_copy_that_is_not_the_source_is_never_committed(
    maxwell: Pair, make_database: MakeDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    from runner.transfer import copying

    for name in ("line", "plain_line"):
        line = getattr(copying, name)
        monkeypatch.setattr(
            copying, name, lambda columns, line=line: line(columns).replace('t."content"', 'upper(t."content")')
        )
    target = make_database("postgres")
    before = footprint(target)
    answer = maxwell.answer(target, expect=4)
    assert answer["error"]["code"] == "NOT_PROVEN"
    assert {(one["table"], one["column"]) for one in answer["differences"]} == {
        ("scenes", "content"),
        ("variants", "content"),
    }
    assert footprint(target) == before


# Who, and with what.


def test_an_ordinary_owner_may_do_it_and_another_role_is_told_why_not(
    maxwell: Pair, make_database: MakeDatabase, pg_url: str
) -> None:
    target = make_database("postgres")
    name = urlsplit(target.url).path[1:]
    run_as_admin(
        pg_url,
        "DROP ROLE IF EXISTS mx_owner",
        "DROP ROLE IF EXISTS mx_other",
        "CREATE ROLE mx_owner LOGIN",
        "CREATE ROLE mx_other LOGIN",
    )
    try:
        target.script("GRANT ALL ON SCHEMA public TO mx_owner; GRANT USAGE ON SCHEMA public TO mx_other")
        owner, other = (_as_role(target, role) for role in ("mx_owner", "mx_other"))
        maxwell.apply_target(owner)
        target.script("GRANT ALL ON ALL TABLES IN SCHEMA public TO mx_other")
        before = footprint(target)
        assert maxwell.answer(other, expect=1)["error"]["code"] == "NOT_THE_OWNER"
        assert footprint(target) == before
        assert maxwell.answer(owner)["rows"] == 49
        assert every_row(target) == every_row(maxwell.database)
    finally:
        target.script(f"DROP OWNED BY mx_owner, mx_other; SELECT '{name}'")
        run_as_admin(pg_url, "DROP ROLE mx_owner", "DROP ROLE mx_other")


def _as_role(database: Database, role: str) -> Database:
    parts = urlsplit(database.url)
    url = urlunsplit(parts._replace(netloc=f"{role}:s3cr3t@{parts.netloc.rpartition('@')[2]}"))
    return Database("postgres", url, None, database.opener)


def test_a_protected_target_wants_its_name(things: Pair, make_database: MakeDatabase) -> None:
    target = make_database("postgres")
    assert maxwell_db("protect", database=target, sql=things.root).exit_code == 0
    name = urlsplit(target.url).path[1:]
    before = footprint(target)
    for given in ((), ("--yes",), ("--confirm", "another")):
        assert things.answer(target, *given, expect=2)["error"]["code"] == "NOT_CONFIRMED"
    things.answer(target, "--dry-run")
    assert footprint(target) == before
    assert things.answer(target, "--confirm", name)["rows"] == 2


def test_a_migration_is_said_to_be_applied_when_it_is_and_not_when_all_is_rolled_back(
    things: Pair, make_database: MakeDatabase
) -> None:
    target = make_database("postgres")
    things.run("INSERT INTO thing (id, number) VALUES ('x', 'many')")
    assert "applied" not in things.transfer(target, expect=9).stderr
    things.run("UPDATE thing SET number = 1")
    assert "applied  001_one" in things.transfer(target).stderr


def test_both_databases_are_locked_and_another_run_is_waited_for(things: Pair, make_database: MakeDatabase) -> None:
    from runner.lock import sqlite_lock, take_postgres_lock

    target = make_database("postgres")
    with sqlite_lock(things.source, "apply", 1, lambda holder, seconds: None):
        assert things.answer(target, "--lock-wait", "0.05", expect=5)["error"]["code"] == "LOCK_TIMEOUT"
    with target.connect() as connection:
        take_postgres_lock(connection, 1, lambda holder, seconds: None)
        assert things.answer(target, "--lock-wait", "0.05", expect=5)["error"]["code"] == "LOCK_TIMEOUT"
    things.apply_target(target)
    with target.connect() as connection, connection.cursor() as cursor:
        cursor.execute("BEGIN; SELECT 1 FROM thing")
        error = things.answer(target, "--lock-wait", "0.05", expect=5)["error"]
        assert "at work in the target's tables" in error["message"]
    things.answer(target)


def test_both_ends_come_from_the_environment_and_the_file_too(
    things: Pair, make_database: MakeDatabase, tmp_path: Path
) -> None:
    target = make_database("postgres")
    (tmp_path / "yoyo.ini").write_text(
        f"[maxwell-db]\nfrom = sqlite:///{things.source}\nto = {target.url}\nsql = {things.root}\nlock-wait = 3\n"
    )
    assert maxwell_db("transfer", "--dry-run", sql=None, cwd=tmp_path).exit_code == 0
    env = {"MAXWELL_DB_FROM": f"sqlite:///{things.source}", "MAXWELL_DB_TO": target.url}
    assert maxwell_db("transfer", sql=things.root, env=env).exit_code == 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "--from is missing"),
        (["--from", "postgresql://h/d"], "--from is no SQLite database"),
        (["--from", "sqlite:///nowhere.db"], "--from: the database nowhere.db is not there"),
        (["--from", "SOURCE"], "--to is missing"),
        (["--from", "SOURCE", "--to", "sqlite:///x.db"], "--to is no PostgreSQL database"),
        (["--from", "SOURCE", "--dry-run", "--verify-only"], "one at a time"),
    ],
)
def test_what_is_missing_or_makes_no_sense_is_a_usage_error(things: Pair, arguments: list[str], words: str) -> None:
    source = f"sqlite:///{things.source}"
    result = maxwell_db("transfer", *(source if each == "SOURCE" else each for each in arguments), sql=things.root)
    assert result.exit_code == 2 and words in result.stderr and result.stdout == ""


def test_a_password_is_never_shown(things: Pair, make_database: MakeDatabase) -> None:
    target = _as_role(make_database("postgres"), "postgres")
    result = things.transfer(target, "--json", "--freeze-source")
    again = things.transfer(target, expect=2)
    assert "s3cr3t" not in result.stdout + again.stdout + again.stderr
    assert "a password on the command line" in again.stderr
    with things.database.connect() as connection, pytest.raises(sqlite3.IntegrityError) as raised:
        connection.execute("DELETE FROM thing")
    assert "s3cr3t" not in str(raised.value)
    assert target.query("SELECT count(*) FROM _maxwell_transfer WHERE source LIKE '%s3cr3t%'") == [(0,)]


def test_a_pair_that_is_not_one_is_refused(things: Pair, make_database: MakeDatabase) -> None:
    (things.root / "postgres" / "002_alone.sql").write_text("SELECT 1;\n")
    (things.root / "postgres" / "002_alone.rollback.sql").write_text("SELECT 1;\n")
    error = things.answer(make_database("postgres"), expect=2)["error"]
    assert error["code"] == "UNPAIRED_MIGRATION" and error["file"].endswith("002_alone.sql")


def test_a_migration_outside_a_transaction_is_applied_before_the_copy(
    things: Pair, make_database: MakeDatabase
) -> None:
    things.add(
        "002_index",
        "CREATE INDEX thing_name ON thing (name);\n",
        "CREATE INDEX CONCURRENTLY thing_name ON thing (name);\n",
        "DROP INDEX thing_name;\n",
        header="-- Find things.\n-- transactional: false\n\n",
    )
    things.apply_source()
    target = make_database("postgres")
    assert things.answer(target, "--dry-run", expect=2)["error"]["code"] == "NOT_TRANSACTIONAL"
    assert things.answer(target)["rows"] == 2
    assert target.value("SELECT count(*) FROM pg_indexes WHERE indexname = 'thing_name'") == 1


def test_rows_of_a_target_that_nobody_migrated_are_never_touched(things: Pair, make_database: MakeDatabase) -> None:
    target = make_database("postgres")
    target.script("CREATE TABLE thing (id INTEGER); INSERT INTO thing VALUES (1)")
    before = footprint(target)
    assert things.answer(target, expect=2)["error"]["code"] == "TARGET_NOT_EMPTY"
    assert footprint(target) == before


def test_what_only_the_target_has_is_left_alone(things: Pair, make_database: MakeDatabase) -> None:
    Folder(things.root, "postgres").pair(
        "002_own",
        "CREATE TABLE own (id INTEGER PRIMARY KEY, thing VARCHAR(36) REFERENCES thing (id));\n"
        "INSERT INTO own VALUES (1, NULL);\n",
        "DROP TABLE own;\n",
        header="-- PostgreSQL's own.\n-- dialects: postgres\n\n",
    )
    target, migrated = make_database("postgres"), make_database("postgres")
    things.apply_target(migrated)
    for each in (target, migrated):
        things.answer(each)
        assert each.query("SELECT * FROM own") == [(1, None)] and each.value("SELECT count(*) FROM thing") == 1
