"""The six migrations make the schema of the plan, the same in both dialects, and it behaves as the plan says."""

from __future__ import annotations

import re
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg2
import pytest

from tests.support.databases import Database
from tests.support.maxwell_rows import sample_rows
from tests.support.maxwell_schema import (
    HEAD,
    MIGRATIONS,
    POSTGRES_ONLY,
    SQL,
    VERSIONS,
    Column,
    PlannedMigration,
    live_schema,
    migrations_of,
    planned_schema,
    raw_catalog,
    run_up_to,
)

REFUSED = (sqlite3.IntegrityError, psycopg2.IntegrityError)
FAR_OFF = "Pacific/Kiritimati"  # UTC+14, so that a local time can't pass for UTC
LONG_AGO = "2020-02-02 20:20:20"
PLAN = planned_schema(HEAD)

Run = Callable[[str], list[tuple[Any, ...]]]


@contextmanager
def session(database: Database) -> Iterator[Run]:
    """Run statements one by one, foreign keys enforced, in a time zone far from UTC."""
    with database.connect() as connection, closing(connection.cursor()) as cursor:
        if database.dialect == "sqlite":
            cursor.execute("PRAGMA foreign_keys = ON")
        else:
            cursor.execute(f"SET TIME ZONE '{FAR_OFF}'")

        def run(sql: str) -> list[tuple[Any, ...]]:
            cursor.execute(sql)
            return [tuple(row) for row in cursor.fetchall()] if cursor.description else []

        yield run


@pytest.fixture
def run(database: Database, monkeypatch: pytest.MonkeyPatch) -> Iterator[Run]:
    """A session on the schema of the last version, in a process whose clock is far from UTC too."""
    run_up_to(database, HEAD)
    monkeypatch.setenv("TZ", FAR_OFF)
    time.tzset()
    with session(database) as run:
        yield run
    monkeypatch.undo()
    time.tzset()


def insert(table: str, **values: str) -> str:
    """An INSERT of SQL expressions; a column that must have a value and is not named gets one."""
    needed = {
        column.name: _any_value(column)
        for column in PLAN[table].columns
        if not column.nullable and column.default is None
    }
    row = needed | values
    return f"INSERT INTO {table} ({', '.join(row)}) VALUES ({', '.join(row.values())})"


def _any_value(column: Column) -> str:
    if column.type.startswith("string"):
        return f"'{column.name}'"
    return {"integer": "1", "float": "1.5", "text": "'text'", "datetime": "'1348-05-01 06:00:00'"}[column.type]


def as_time(value: Any) -> datetime:
    """A time as the drivers give it: text from SQLite, without a zone from PostgreSQL."""
    return value if isinstance(value, datetime) else datetime.fromisoformat(value)


def is_now(value: Any) -> bool:
    """Whether it is the present time in UTC, clocks being as they are."""
    return abs(as_time(value) - datetime.now(UTC).replace(tzinfo=None)) < timedelta(minutes=2)


# The schema.


@pytest.mark.parametrize("version", VERSIONS)
def test_the_schema_of_each_version_is_the_plans(database: Database, version: str) -> None:
    run_up_to(database, version)
    assert live_schema(database) == planned_schema(version)


def test_the_last_version_has_all_sixteen_tables_of_the_plan() -> None:
    assert len(PLAN) == 16


def test_no_string_is_longer_than_the_plan_allows_on_postgresql(make_database: Callable[[str], Database]) -> None:
    database = make_database("postgres")
    run_up_to(database, "1.0.0")
    with session(database) as run, pytest.raises(psycopg2.errors.StringDataRightTruncation):
        run(insert("manuscripts", title=f"'{'x' * 256}'"))


@pytest.mark.parametrize("version", VERSIONS)
def test_the_sample_rows_fit_each_version(database: Database, version: str) -> None:
    run_up_to(database, version)
    with database.connect() as connection, closing(connection.cursor()) as cursor:
        if database.dialect == "sqlite":
            connection.execute("PRAGMA foreign_keys = ON")
            connection.executescript(sample_rows(version))
        else:
            cursor.execute(sample_rows(version))
    counts = {table: database.value(f"SELECT count(*) FROM {table}") for table in planned_schema(version)}
    assert all(count >= 2 for count in counts.values()), counts


# The files.


def test_each_migration_is_a_pair_in_both_dialects_and_nothing_else_is_there() -> None:
    for dialect in ("sqlite", "postgres"):
        expected = {f"{migration.id}{end}" for migration in migrations_of(dialect) for end in (".sql", ".rollback.sql")}
        assert {path.name for path in (SQL / dialect).iterdir()} == expected


@pytest.mark.parametrize("migration", MIGRATIONS, ids=VERSIONS)
def test_the_header_says_why_and_names_predecessor_version_and_revision(
    dialect: str, migration: PlannedMigration
) -> None:
    place = MIGRATIONS.index(migration)
    directives = {"version": migration.version, "revision": migration.revision}
    if place:
        directives["depends"] = MIGRATIONS[place - 1].id
    why, *rest = header(migration.script(dialect))
    assert re.fullmatch(r"-- [A-Z][^:]+\.", why)
    assert dict(directives_in(rest)) == directives
    assert len(rest) == len(directives)


@pytest.mark.parametrize("migration", MIGRATIONS, ids=VERSIONS)
def test_the_header_of_a_rollback_says_what_goes_and_has_no_directive(
    dialect: str, migration: PlannedMigration
) -> None:
    (why,) = header(migration.rollback_script(dialect))
    assert re.fullmatch(r"-- [A-Z][^:]+\.", why)
    assert not directives_in(migration.rollback_script(dialect).splitlines())


@pytest.mark.parametrize("migration", MIGRATIONS, ids=VERSIONS)
def test_no_directive_hides_below_the_header(dialect: str, migration: PlannedMigration) -> None:
    # What is for the reviewer alone may stand anywhere.
    lines = [line for line in migration.script(dialect).splitlines() if not line.startswith("-- lint-ignore: ")]
    assert directives_in(lines) == directives_in(lines[: len(header(migration.script(dialect)))])


@pytest.mark.parametrize("migration", MIGRATIONS, ids=VERSIONS)
def test_files_are_plain_text_that_ends_with_its_last_statement(dialect: str, migration: PlannedMigration) -> None:
    for name in (f"{migration.id}.sql", f"{migration.id}.rollback.sql"):
        text = (SQL / dialect / name).read_bytes()
        assert text.isascii() and b"\r" not in text and b"\t" not in text
        assert text.endswith(b";\n") and not text.endswith(b"\n\n")


@pytest.mark.parametrize("migration", MIGRATIONS, ids=VERSIONS)
def test_both_dialects_give_the_same_header(migration: PlannedMigration) -> None:
    assert header(migration.script("sqlite")) == header(migration.script("postgres"))
    assert header(migration.rollback_script("sqlite")) == header(migration.rollback_script("postgres"))


def test_what_only_postgresql_has_says_so_and_follows_the_others() -> None:
    why, *rest = header(POSTGRES_ONLY.script("postgres"))
    assert re.fullmatch(r"-- [A-Z][^:]+\.", why)
    assert dict(directives_in(rest)) == {
        "depends": MIGRATIONS[-1].id,
        "version": POSTGRES_ONLY.version,
        "revision": POSTGRES_ONLY.revision,
        "dialects": "postgres",
    }


def header(text: str) -> list[str]:
    """The lines before the first empty one."""
    return text.split("\n\n")[0].splitlines()


def directives_in(lines: list[str]) -> list[tuple[str, str]]:
    return [(key, value) for line in lines for key, value in re.findall(r"^\s*--\s*([\w-]+)\s*:\s*(.*)$", line)]


# Defaults and keys.


def test_a_row_that_says_the_least_gets_the_plans_defaults_and_utc_times(run: Run) -> None:
    wrong = []
    for name, table in PLAN.items():
        run(insert(name))
        (row,) = run(f"SELECT {', '.join(column.name for column in table.columns)} FROM {name}")
        for column, value in zip(table.columns, row, strict=True):
            right = is_now(value) if column.default == "now" else value == column.default
            if column.nullable and not right:
                wrong.append((name, column, value))
    assert not wrong


def test_a_default_of_a_truth_value_is_one(run: Run, dialect: str) -> None:
    run(insert("variants"))
    run(insert("timeline_issues"))
    truth = False if dialect == "postgres" else 0
    assert [run("SELECT is_main FROM variants"), run("SELECT is_resolved FROM timeline_issues")] == [[(truth,)]] * 2
    assert len(run("SELECT id FROM variants WHERE NOT is_main")) == 1


def test_a_primary_key_is_neither_null_nor_twice_there(run: Run) -> None:
    for table in PLAN:
        run(insert(table))
        for id_ in ("NULL", "'id'"):
            with pytest.raises(REFUSED):
                run(insert(table, id=id_))


def test_a_column_that_the_plan_requires_refuses_null(run: Run) -> None:
    for name, table in PLAN.items():
        for column in table.columns:
            if not column.nullable:
                with pytest.raises(REFUSED):
                    run(insert(name, **{column.name: "NULL"}))


def test_a_unique_constraint_refuses_the_second_row_and_lets_nulls_be(run: Run) -> None:
    seen = 0
    for name, table in PLAN.items():
        for unique in table.uniques:
            seen += 1
            values = {column: insert_parent(run, name, column) for column in unique.columns}
            run(insert(name, id="'first'", **values))
            with pytest.raises(REFUSED):
                run(insert(name, id="'second'", **values))
            run(insert(name, id="'third'", **values | {unique.columns[0]: "NULL"}))
            run(insert(name, id="'fourth'", **values | {unique.columns[0]: "NULL"}))
    assert seen == 3


def insert_parent(run: Run, table: str, column: str) -> str:
    """A new row for the column to refer to; its id, quoted."""
    (key,) = (key for key in PLAN[table].foreign_keys if key.columns == (column,))
    id_ = f"'{table[:16]}.{column}'"
    run(insert(key.parent, id=id_))
    return id_


# Foreign keys.


@pytest.mark.parametrize("action", ["CASCADE", "SET NULL", "NO ACTION"])
def test_deleting_a_parent_does_what_the_plan_says(run: Run, action: str) -> None:
    keys = [(name, key) for name, table in PLAN.items() for key in table.foreign_keys if key.on_delete == action]
    assert keys
    for name, key in keys:
        (column,) = key.columns
        run(insert(key.parent, id="'parent'"))
        run(insert(name, id="'child'", **{column: "'parent'"}))
        if action == "NO ACTION":
            with pytest.raises(REFUSED):
                run(f"DELETE FROM {key.parent} WHERE id = 'parent'")
            run(f"DELETE FROM {name} WHERE id = 'child'")
        run(f"DELETE FROM {key.parent} WHERE id = 'parent'")
        left = run(f"SELECT {column} FROM {name}")
        assert left == ([(None,)] if action == "SET NULL" else []), (name, key)
        run(f"DELETE FROM {name}")


def test_a_child_without_its_parent_is_refused(run: Run) -> None:
    for name, table in PLAN.items():
        for key in table.foreign_keys:
            with pytest.raises(REFUSED):
                run(insert(name, **{key.columns[0]: "'nobody'"}))


def test_deleting_a_manuscript_takes_all_that_is_its_own_and_nothing_else(database: Database, run: Run) -> None:
    database.script(sample_rows(HEAD))
    run("DELETE FROM manuscripts WHERE title = 'The Salt Road'")
    left = {name: run(f"SELECT id FROM {name}") for name in PLAN}
    # The last digits of a sample id are 1x for what belongs to the first manuscript and 2x for the second.
    assert {id_[-2] for rows in left.values() for (id_,) in rows} == {"2"}
    assert len(left["manuscripts"]) == 1 and len(left["scenes"]) == 2


# The trigger on manuscripts.updated_at.


def manuscript(id_: str, updated_at: str = LONG_AGO) -> str:
    return insert("manuscripts", id=f"'{id_}'", created_at=f"'{LONG_AGO}'", updated_at=f"'{updated_at}'")


def updated_at(run: Run, id_: str) -> Any:
    ((value,),) = run(f"SELECT updated_at FROM manuscripts WHERE id = '{id_}'")
    return value


def test_an_update_of_any_column_sets_updated_at_to_the_present_in_utc(run: Run) -> None:
    changes = {"id": "'b'", "title": "'x'", "created_at": "NULL", "word_count": "5", "lexical_state": "'{}'"}
    changes |= {"genre": "'x'", "target_word_count": "7"}
    assert changes.keys() | {"updated_at"} == {column.name for column in PLAN["manuscripts"].columns}
    for column, value in changes.items():
        run(manuscript("a"))
        run(f"UPDATE manuscripts SET {column} = {value}")
        ((touched,),) = run("SELECT updated_at FROM manuscripts")
        assert is_now(touched), column
        run("DELETE FROM manuscripts")


def test_an_update_changes_nothing_but_updated_at_besides(run: Run) -> None:
    run(manuscript("a"))
    before = run("SELECT id, created_at, word_count, lexical_state, genre, target_word_count FROM manuscripts")
    run("UPDATE manuscripts SET title = 'x'")
    after = run("SELECT id, created_at, word_count, lexical_state, genre, target_word_count FROM manuscripts")
    assert after == before
    assert run("SELECT title FROM manuscripts") == [("x",)]


def test_every_updated_row_and_no_other_is_touched(run: Run) -> None:
    for id_ in "abc":
        run(manuscript(id_))
    run("UPDATE manuscripts SET word_count = 1 WHERE id IN ('a', 'b')")
    assert is_now(updated_at(run, "a")) and is_now(updated_at(run, "b"))
    assert as_time(updated_at(run, "c")) == as_time(LONG_AGO)


def test_a_time_that_the_writer_sets_stays(run: Run) -> None:
    run(manuscript("a"))
    run("UPDATE manuscripts SET updated_at = '2021-03-04 05:06:07'")
    assert as_time(updated_at(run, "a")) == datetime(2021, 3, 4, 5, 6, 7)
    run("UPDATE manuscripts SET title = 'x', updated_at = '2022-03-04 05:06:07'")
    assert as_time(updated_at(run, "a")) == datetime(2022, 3, 4, 5, 6, 7)
    run("UPDATE manuscripts SET updated_at = NULL")
    assert updated_at(run, "a") is None


def test_a_manuscript_without_a_time_gets_one_with_its_next_update(run: Run) -> None:
    run(insert("manuscripts", updated_at="NULL"))
    run("UPDATE manuscripts SET title = 'x'")
    assert is_now(updated_at(run, "id"))


def test_an_insert_keeps_the_time_that_it_brings(run: Run) -> None:
    run(manuscript("a"))
    assert as_time(updated_at(run, "a")) == as_time(LONG_AGO)


def test_a_column_added_later_counts_as_an_update_too(run: Run) -> None:
    run("ALTER TABLE manuscripts ADD COLUMN language VARCHAR(20)")
    run(manuscript("a"))
    run("UPDATE manuscripts SET language = 'fr'")
    assert is_now(updated_at(run, "a"))


def test_the_trigger_does_not_stand_in_the_way_of_dropping_or_renaming_a_column(run: Run) -> None:
    run("ALTER TABLE manuscripts DROP COLUMN genre")
    run("ALTER TABLE manuscripts RENAME COLUMN target_word_count TO goal")
    run(manuscript("a"))
    run("UPDATE manuscripts SET goal = 100")
    assert is_now(updated_at(run, "a"))


def test_recursive_triggers_change_nothing_on_sqlite(make_database: Callable[[str], Database]) -> None:
    database = make_database("sqlite")
    run_up_to(database, HEAD)
    with session(database) as run:
        run("PRAGMA recursive_triggers = ON")
        for id_ in "ab":
            run(manuscript(id_))
        for title in "xyz":  # several within the same second
            run(f"UPDATE manuscripts SET title = '{title}'")
        assert is_now(updated_at(run, "a")) and is_now(updated_at(run, "b"))
        run(f"UPDATE manuscripts SET title = 'kept', updated_at = '{LONG_AGO}'")
        assert run("SELECT DISTINCT title, updated_at FROM manuscripts") == [("kept", LONG_AGO)]


def test_nobody_can_put_another_clock_before_the_real_one_on_postgresql(
    make_database: Callable[[str], Database],
) -> None:
    database = make_database("postgres")
    run_up_to(database, HEAD)
    with session(database) as run:
        run("CREATE SCHEMA evil")
        run("CREATE FUNCTION evil.now() RETURNS timestamptz LANGUAGE sql AS 'SELECT ''1999-09-09''::timestamptz'")
        run("SET search_path = evil, pg_catalog, public")
        run(manuscript("a"))
        run(insert("manuscripts", id="'b'"))
        run("UPDATE manuscripts SET title = 'x' WHERE id = 'a'")
        assert run("SELECT now() < '2000-01-01'") == [(True,)]
        assert is_now(updated_at(run, "a")) and is_now(updated_at(run, "b"))


# Up and down without any tool.


def test_each_rollback_file_restores_the_very_catalog_of_the_version_before(database: Database) -> None:
    before = []
    for migration in MIGRATIONS:
        before.append(raw_catalog(database))
        database.script(migration.script(database.dialect))
    for migration in reversed(MIGRATIONS):
        database.script(migration.rollback_script(database.dialect))
        assert raw_catalog(database) == before.pop(), migration.id


def test_the_catalog_that_is_compared_is_not_empty(database: Database) -> None:
    assert raw_catalog(database) == []
    run_up_to(database, HEAD)
    kinds = {kind for kind, *_ in raw_catalog(database)}
    expected = {"table", "index", "trigger"}
    if database.dialect == "postgres":
        expected = {"relation", "column", "constraint", "index", "trigger", "function"}
    assert kinds == expected
