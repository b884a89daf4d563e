"""The plan's three kinds of test for each of its migrations, upgrade, downgrade and sample data, through the tool."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from tests.support.databases import Database
from tests.support.maxwell_rows import rows_added_by, sample_rows
from tests.support.maxwell_schema import (
    HEAD,
    MIGRATIONS,
    POSTGRES_ONLY,
    SQL,
    VERSIONS,
    live_schema,
    planned_schema,
    raw_catalog,
)
from tests.support.tool import maxwell_db, yoyo

BASE = "base"
BOOKKEEPING = {"_yoyo_migration", "_yoyo_log", "_yoyo_version", "yoyo_lock", "_maxwell_ledger"}
TRANSFERS = "_maxwell_transfer"

# The plan's own table, "Migration Timeline".
TABLES_ADDED = {
    "1.0.0": {"manuscripts"},
    "1.0.1": {"scenes"},
    "1.0.2": {"snapshots", "variants"},
    "1.1.0": {"entities", "relationships", "entity_suggestions"},
    "1.2.0": {
        "timeline_events",
        "locations",
        "travel_legs",
        "timeline_issues",
        "travel_speed_profiles",
        "location_distances",
    },
    "1.3.0": {"coaching_history", "writing_profiles", "feedback_patterns"},
}

MakeDatabase = Callable[[str], Database]
Rows = dict[str, list[tuple[Any, ...]]]
Catalogs = dict[str, list[tuple[Any, ...]]]  # by version


def apply(database: Database, version: str) -> list[str]:
    """Apply up to ``version``; the ids of what was applied."""
    result = maxwell_db("--json", "apply", version, database=database)
    assert result.exit_code == 0, result.stderr + result.stdout
    answer = result.json()
    assert answer["version"] == version
    return [each["id"] for each in answer["applied"]]


def rollback(database: Database, target: str) -> list[str]:
    """Take back everything after ``target``; the ids of what was taken back."""
    result = maxwell_db("--json", "rollback", target, "--yes", database=database)
    assert result.exit_code == 0, result.stderr + result.stdout
    answer = result.json()
    assert answer["version"] == (None if target == BASE else target)
    return [each["id"] for each in answer["rolled_back"]]


def go(database: Database, here: str, there: str) -> None:
    """Bring the database from one version, or from the base, to another."""
    stations = (BASE, *VERSIONS)
    if stations.index(there) > stations.index(here):
        apply(database, there)
    else:
        rollback(database, there)


def version_before(version: str) -> str:
    return (BASE, *VERSIONS)[VERSIONS.index(version)]


def id_of(version: str) -> str:
    return MIGRATIONS[VERSIONS.index(version)].id


def rows_at(database: Database, version: str) -> Rows:
    """Every row of the tables of ``version``, in the columns that they have there."""
    tables = {} if version == BASE else planned_schema(version)
    return {
        name: database.query(f"SELECT {', '.join(column.name for column in table.columns)} FROM {name} ORDER BY id")
        for name, table in tables.items()
    }


@pytest.fixture(scope="module")
def known_catalogs() -> dict[str, Catalogs]:
    """What ``catalogs`` found out for each dialect: the files are the same for every test."""
    return {}


@pytest.fixture
def catalogs(dialect: str, make_database: MakeDatabase, known_catalogs: dict[str, Catalogs]) -> Catalogs:
    """The catalog of the base and of each version on which only the files have run, never the tool."""
    if dialect not in known_catalogs:
        database = make_database(dialect)
        known_catalogs[dialect] = {BASE: raw_catalog(database)}
        for migration in MIGRATIONS:
            database.script(migration.script(dialect))
            known_catalogs[dialect][migration.version] = raw_catalog(database)
    return known_catalogs[dialect]


# The three kinds.


@pytest.mark.parametrize("version", VERSIONS)
def test_upgrade_makes_the_tables_of_the_plan(database: Database, version: str) -> None:
    before = version_before(version)
    if before != BASE:
        apply(database, before)
    tables_before = database.tables()
    assert apply(database, version) == [id_of(version)]
    assert database.tables() - tables_before == TABLES_ADDED[version]
    assert live_schema(database) == planned_schema(version)


@pytest.mark.parametrize("version", VERSIONS)
def test_downgrade_leaves_the_very_catalog_of_the_version_before(
    database: Database, catalogs: Catalogs, version: str
) -> None:
    before = version_before(version)
    apply(database, version)
    assert raw_catalog(database) == catalogs[version]
    assert rollback(database, before) == [id_of(version)]
    assert not database.tables() & TABLES_ADDED[version]
    assert raw_catalog(database) == catalogs[before]


@pytest.mark.parametrize("version", VERSIONS)
def test_sample_data_goes_up_and_down_and_no_other_row_changes(database: Database, version: str) -> None:
    before = version_before(version)
    if before != BASE:
        apply(database, before)
        database.script(sample_rows(before))
    rows = rows_at(database, before)

    apply(database, version)
    assert rows_at(database, before) == rows
    database.script(rows_added_by(version))
    added = {name: database.value(f"SELECT count(*) FROM {name}") for name in TABLES_ADDED[version]}
    assert min(added.values()) >= 2, added

    rollback(database, before)
    assert rows_at(database, before) == rows


# Longer ways.


def every_move() -> Iterator[tuple[str, str]]:
    """A walk from the base in which each version, and the base, is reached from every other one."""
    stations = (BASE, *VERSIONS)
    for place, here in enumerate(stations):
        for there in stations[place + 2 :]:
            yield here, there
            yield there, here
        if here != HEAD:
            yield here, stations[place + 1]
    for place in range(len(stations) - 1, 0, -1):
        yield stations[place], stations[place - 1]


def test_the_walk_is_whole() -> None:
    moves = list(every_move())
    stations = (BASE, *VERSIONS)
    assert set(moves) == {(here, there) for here in stations for there in stations if here != there}
    assert all(arrived == left for (_, arrived), (left, _) in pairwise(moves))


def test_a_version_has_one_catalog_whatever_the_way_to_it(database: Database, catalogs: Catalogs) -> None:
    for here, there in every_move():
        go(database, here, there)
        assert raw_catalog(database) == catalogs[there], (here, there)


def test_rows_live_through_the_way_down_to_their_own_version_and_up_again(database: Database) -> None:
    apply(database, HEAD)
    database.script(sample_rows(HEAD))
    rows = rows_at(database, "1.0.2")
    assert rollback(database, "1.0.2") == [id_of(version) for version in ("1.3.0", "1.2.0", "1.1.0")]
    assert rows_at(database, "1.0.2") == rows
    apply(database, HEAD)
    assert rows_at(database, "1.0.2") == rows
    assert all(database.value(f"SELECT count(*) FROM {name}") == 0 for name in TABLES_ADDED["1.2.0"])
    assert database.value("SELECT count(pov_character_fk) FROM scenes") == 0


def test_rollback_to_base_leaves_only_bookkeeping(database: Database) -> None:
    apply(database, HEAD)
    database.script(sample_rows(HEAD))
    assert rollback(database, BASE) == [migration.id for migration in reversed(MIGRATIONS)]
    assert raw_catalog(database) == []
    assert all_tables(database) <= BOOKKEEPING


def all_tables(database: Database) -> set[str]:
    if database.dialect == "sqlite":
        rows = database.query("SELECT name FROM sqlite_master WHERE type = 'table'")
    else:
        rows = database.query("SELECT tablename::text FROM pg_tables WHERE schemaname = 'public'")
    return {name for (name,) in rows}


def test_the_record_of_transfers_comes_with_2_0_0_and_goes_with_it(make_database: MakeDatabase) -> None:
    database = make_database("postgres")
    apply(database, HEAD)
    database.script(sample_rows(HEAD))
    rows = rows_at(database, HEAD)
    for _ in range(2):
        assert apply(database, POSTGRES_ONLY.version) == [POSTGRES_ONLY.id]
        assert all_tables(database) - database.tables() == BOOKKEEPING | {TRANSFERS}
        assert rollback(database, HEAD) == [POSTGRES_ONLY.id]
        assert all_tables(database) - database.tables() == BOOKKEEPING
    assert rows_at(database, HEAD) == rows


# Plain yoyo on the same files.


def test_plain_yoyo_makes_the_same_schema_and_takes_it_back(
    database: Database, catalogs: Catalogs, tmp_path: Path
) -> None:
    def run(*arguments: str) -> None:
        done = yoyo(*arguments, database=database, sources=SQL / database.dialect, cwd=tmp_path)
        assert done.exit_code == 0, done.stderr

    run("apply")
    assert raw_catalog(database) == catalogs[HEAD]
    database.script(sample_rows(HEAD))
    rows = rows_at(database, "1.0.2")
    run("rollback", "--revision", id_of("1.1.0"))
    assert raw_catalog(database) == catalogs["1.0.2"]
    assert rows_at(database, "1.0.2") == rows
    run("rollback", "--all")
    assert raw_catalog(database) == []
