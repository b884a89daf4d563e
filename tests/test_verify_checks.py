"""Each planted violation is found by check, table and key; the clean sample data has none; docs name every check."""

from __future__ import annotations

import itertools
import json
import os
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import pytest

from tests.support.databases import Database, drop_postgres_database, postgres_database, run_as_admin, sqlite_database
from tests.support.maxwell_rows import sample_rows
from tests.support.maxwell_schema import HEAD, MIGRATIONS, VERSIONS
from tests.support.planted import GENERIC, PLANTS, REPLICA, Plant
from verify.catalog_postgres import read_catalog
from verify.cli import main
from verify.loader import BUILT_IN, COLUMNS, load_checks
from verify.reader import reading
from verify.run import verify

DOCS = Path(__file__).parents[1] / "docs" / "checks.md"
GENERATED = {"orphan:child(columns)->parent", "key:table"}
WITHOUT_FILE = {"integrity-check", "foreign-key-check", "invalid-index", "unvalidated-constraint", "disabled-trigger"}

_numbers = itertools.count()


def fill(database: Database, version: str = HEAD) -> Database:
    """The schema of a version with its clean sample rows."""
    for migration in MIGRATIONS[: VERSIONS.index(version) + 1]:
        database.script(migration.script(database.dialect))
    database.script(sample_rows(version))
    return database


@pytest.fixture(scope="module")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Database:
    return fill(sqlite_database(tmp_path_factory.mktemp("clean") / "clean.db"))


@pytest.fixture(scope="module")
def postgres_template(pg_url: str) -> Iterator[Database]:
    database = fill(postgres_database(pg_url, f"verify_clean_{os.getpid()}"))
    yield database
    drop_postgres_database(pg_url, database)


@pytest.fixture
def clean(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[[str], Database]]:
    """A function that gives a copy of the clean Maxwell database in a dialect."""
    made: list[Database] = []

    def copy(dialect: str) -> Database:
        if dialect == "sqlite":
            template = request.getfixturevalue("sqlite_template")
            path = tmp_path / f"copy{next(_numbers)}.db"
            shutil.copyfile(template.path, path)  # nobody has it open
            return sqlite_database(path)
        template = request.getfixturevalue("postgres_template")
        database = _copy_of(template, request.getfixturevalue("pg_url"))
        made.append(database)
        return database

    yield copy
    for database in made:
        drop_postgres_database(request.getfixturevalue("pg_url"), database)


def _copy_of(template: Database, admin_url: str) -> Database:
    import psycopg2

    parts = urlsplit(template.url)
    name = f"verify_{os.getpid()}_{next(_numbers)}"
    run_as_admin(admin_url, f'CREATE DATABASE "{name}" TEMPLATE "{parts.path[1:]}"')
    url = urlunsplit((parts.scheme, parts.netloc, f"/{name}", parts.query, ""))

    def opener() -> object:
        connection = psycopg2.connect(url)
        connection.autocommit = True
        return connection

    return Database("postgres", url, None, opener)


def plant(database: Database, sql: str) -> None:
    if database.dialect == "sqlite":
        with database.connect() as connection:
            connection.executescript(sql)
    else:
        database.script(REPLICA + sql)


@pytest.fixture(scope="module")
def shared_postgres(postgres_template: Database, pg_url: str) -> Iterator[Database]:
    """One copy for all plants that only change rows: to put those back is quicker than a database for each."""
    database = _copy_of(postgres_template, pg_url)
    yield database
    drop_postgres_database(pg_url, database)


@pytest.fixture
def planted_in(
    request: pytest.FixtureRequest, clean: Callable[[str], Database]
) -> Iterator[Callable[[Plant, str], Database]]:
    """A function that gives a clean database with one violation planted."""
    dirty: list[Database] = []

    def make(planted: Plant, dialect: str) -> Database:
        if dialect == "sqlite" or planted in GENERIC:
            database = clean(dialect)
        else:
            database = request.getfixturevalue("shared_postgres")
            dirty.append(database)
        plant(database, planted.sql)
        return database

    yield make
    for database in dirty:
        deletes = "".join(f"DELETE FROM {table};\n" for table in database.tables())
        database.script(REPLICA + deletes + sample_rows(HEAD))


CASES = [
    pytest.param(planted, dialect, id=f"{dialect}-{planted.name}") for planted in PLANTS for dialect in planted.dialects
]


@pytest.mark.parametrize("dialect", ["sqlite", "postgres"])
def test_every_check_has_the_three_columns(clean: Callable[[str], Database], dialect: str) -> None:
    """Of the package's own ones ``verify`` does not ask."""
    with clean(dialect).connect() as connection, reading(connection, dialect, snapshot=True) as reader:
        version = read_catalog(reader, ()).version if dialect == "postgres" else 0
        checks = {check for newest in (version, 0) for check in load_checks(reader.dialect, (), newest)}
        wrong = {check.name: reader.wrong_columns(check.sql, COLUMNS) for check in checks if check.path}
        assert len(wrong) > 40 and not any(wrong.values())
        assert reader.wrong_columns("SELECT 1 AS table_name, 2 AS row_key", COLUMNS)


@pytest.mark.parametrize(("planted", "dialect"), CASES)
def test_a_planted_violation_is_found_by_check_table_and_key(
    planted: Plant,
    dialect: str,
    planted_in: Callable[[Plant, str], Database],
    capsys: pytest.CaptureFixture[str],
) -> None:
    database = planted_in(planted, dialect)
    assert main(["--database", database.url, "--json"]) == 4
    answer = json.loads(capsys.readouterr().out)
    failed = {check["name"]: check for check in answer["checks"] if check["status"] == "failed"}
    assert set(failed) == {planted.check} | planted.also
    assert (planted.table, planted.key) in {(one["table"], one["key"]) for one in failed[planted.check]["sample"]}
    assert (answer["ok"], answer["exit_code"]) == (False, 4)


def test_there_are_many_plants_and_every_check_has_one() -> None:
    assert len(PLANTS) >= 60
    assert len({one.name for one in PLANTS}) == len(PLANTS)
    for dialect in ("sqlite", "postgres"):
        found = {one.check for one in PLANTS if dialect in one.dialects}
        assert {check.name for check in load_checks(dialect)} <= found  # type: ignore[arg-type]


def test_each_foreign_key_of_maxwell_has_a_plant(dialect: str, clean: Callable[[str], Database]) -> None:
    with clean(dialect).connect() as connection:
        names = {result.name for result in verify(connection, dialect, only=["orphan:*"]).checks}
    assert names == {one.check for one in PLANTS if one.name.startswith("orphan:")}
    assert len(names) == 24


def test_the_clean_sample_has_no_violation_and_no_skipped_check(dialect: str, clean: Callable[[str], Database]) -> None:
    database = clean(dialect)
    with database.connect() as connection:
        report = verify(connection, dialect)
    assert {result.name: result.status for result in report.checks if result.status != "passed"} == {}
    assert report.counts.keys() == database.tables()
    assert report.counts["scenes"] == 5
    assert main(["--database", database.url]) == 0


@pytest.mark.parametrize("version", VERSIONS)
def test_the_clean_sample_passes_at_every_version(version: str, make_database: Callable[[str], Database]) -> None:
    database = fill(make_database("sqlite"), version)
    with database.connect() as connection:
        report = verify(connection, "sqlite")
    assert not report.failed("warn")
    skipped = {result.name: result.reason for result in report.checks if result.status == "skipped"}
    assert bool(skipped) == (version != HEAD)
    assert all("is not there" in str(reason) or "has no column" in str(reason) for reason in skipped.values())


def test_empty_tables_and_rows_of_nothing_but_null_pass(dialect: str, make_database: Callable[[str], Database]) -> None:
    database = make_database(dialect)
    for migration in MIGRATIONS:
        database.script(migration.script(dialect))
    assert main(["--database", database.url, "--quiet"]) == 0
    for table, columns in {
        "manuscripts": "title",
        "scenes": "position",
        "entities": "type, name",
        "relationships": "strength",
        "entity_suggestions": "suggested_name",
        "locations": "name",
        "timeline_events": "name",
        "timeline_issues": "issue_type, severity, description, suggestion",
        "travel_speed_profiles": "rules",
        "writing_profiles": "preferred_pacing",
        "feedback_patterns": "pattern_type",
        "coaching_history": "issue",
        "variants": "label",
    }.items():
        values = {"position": "1", "type": "'LORE'", "strength": "1"}
        row = ", ".join(values.get(column, "'x'") for column in columns.split(", "))
        database.script(f"INSERT INTO {table} (id, {columns}) VALUES ('1', {row}), ('2', {row})")
    assert main(["--database", database.url]) == 0


GOOD_JSON = [
    "[]",
    " [ ] ",
    '["a", "b"]',
    '[[], {}, [[1, -0, 1.5e-3, true, false, null]], {"a": {"b": ["\\\\", "\\""]}}]',
    '["\\u00e9 \\ud83d\\ude00", "é 😀"]',
    "[" * 900 + "]" * 900,
    '["' + "x" * 200_000 + '"]',
    "[" + "1," * 50_000 + "1]",
]
BAD_JSON = [
    "",
    " ",
    "null",
    "{}",
    '"a"',
    "[",
    "]",
    "[1,",
    "[1,]",
    "[,]",
    "[1 2]",
    "[NaN]",
    "[Infinity]",
    "[01]",
    "[1.]",
    "[+1]",
    "['a']",
    '["a\tb"]',
    '["\t"]',
    '["\\x"]',
    '["\\u12"]',
    '["a]',
    '["\\"]',
    "[tr ue]",
    "[truefalse]",
    "[]]",
    "[[]",
    "[][]",
    "[{1: 2}]",
    '[{"a"}]',
    '[{"a": 1,}]',
    '[{"a" 1}]',
    "[{[]: 1}]",
    '[""""]',
    '[0""]',
    "[1] x",
    "[" * 5000,
    "[" * 5000 + "]" * 5000,  # deeper than SQLite reads
    '["' + '\\"' * 20_000,
]


def test_json_is_told_from_what_is_not_and_never_ends_the_other_checks(
    dialect: str, clean: Callable[[str], Database]
) -> None:
    database = clean(dialect)
    texts = [*GOOD_JSON, *BAD_JSON]
    with database.connect() as connection:
        cursor = connection.cursor()
        mark = "?" if dialect == "sqlite" else "%s"
        for number, text in enumerate(texts):
            cursor.execute(
                f"INSERT INTO entities (id, type, name, aliases) VALUES ({mark}, 'LORE', 'x', {mark})",
                (f"{number:03}", text),
            )
            cursor.execute(
                "INSERT INTO timeline_events (id, name, character_ids, prerequisite_ids)"
                f" VALUES ({mark}, 'x', {mark}, {mark})",
                (f"{number:03}", text, text),
            )
        report = verify(connection, dialect, sample=1000)
    results = {result.name: result for result in report.checks}
    wrong = {texts[int(one.key)][:40] for one in results["entity-json"].sample}
    assert wrong == {text[:40] for text in BAD_JSON}
    assert results["entity-json"].violations == len(BAD_JSON)
    ids = {one.key for one in results["event-json"].sample}
    assert {f"{len(GOOD_JSON) + number:03}" for number in range(len(BAD_JSON))} <= ids
    assert "000" not in ids and "002" not in ids
    dangling = {(one.key, one.detail) for one in results["event-characters"].sample}
    assert ("002", "character_ids: a is not in entities") in dangling


def test_an_id_written_with_an_escape_is_the_same_id(dialect: str, clean: Callable[[str], Database]) -> None:
    database = clean(dialect)
    database.script("INSERT INTO entities (id, type, name) VALUES ('é/1', 'LORE', 'x')")
    database.script(
        "INSERT INTO timeline_events (id, name, character_ids) VALUES ('e', 'x', '[\"\\u00e9\\/1\", \"\\u0000\"]')"
    )
    with database.connect() as connection:
        (result,) = verify(connection, dialect, only=["event-characters"]).checks
    assert result.violations == 1  # \u0000 is in no table, and ends nothing


def test_a_long_story_in_order_and_a_web_of_circles_are_both_walked_to_the_end(
    dialect: str, clean: Callable[[str], Database]
) -> None:
    database = clean(dialect)
    chain = ", ".join(
        f"('c{n:04}', 'x', '{1000 + n}-01-01 00:00:00', '[\"c{n - 1:04}\", \"c{max(0, n - 2):04}\"]')"
        for n in range(1, 2000)
    )
    everyone = json.dumps([f"w{n:02}" for n in range(30)])
    web = ", ".join(f"('w{n:02}', 'x', NULL, '{everyone}')" for n in range(30))
    insert = "INSERT INTO timeline_events (id, name, story_date, prerequisite_ids) VALUES"
    database.script(f"{insert} ('c0000', 'x', NULL, NULL), {chain}; {insert} {web}")
    with database.connect() as connection:
        (result,) = verify(connection, dialect, only=["event-cycle"], sample=100).checks
    assert {one.key for one in result.sample} == {f"w{n:02}" for n in range(30)}


def test_somebody_elses_tables_of_the_same_names_are_left_alone(
    dialect: str, make_database: Callable[[str], Database]
) -> None:
    database = make_database(dialect)
    database.script(
        """
        CREATE TABLE scenes (id integer PRIMARY KEY, position text);
        CREATE TABLE entities (id integer PRIMARY KEY, type integer, manuscript_id integer);
        CREATE TABLE timeline_events (id integer PRIMARY KEY, prerequisite_ids integer, character_ids integer);
        INSERT INTO entities VALUES (1, 7, 1); INSERT INTO scenes VALUES (1, 'left');
        """
    )
    assert main(["--database", database.url]) == 0


def test_docs_name_every_check_and_no_other() -> None:
    text = DOCS.read_text(encoding="utf-8")
    documented = set(re.findall(r"^\| `([^`]+)` \|", text, re.MULTILINE))
    files = {path.stem for path in BUILT_IN.glob("*/*.sql")}
    assert documented == files | WITHOUT_FILE | GENERATED


def test_docs_say_the_severity_of_every_check() -> None:
    rows = dict(re.findall(r"^\| `([^`]+)` \| (error|warn) \|", DOCS.read_text(encoding="utf-8"), re.MULTILINE))
    for dialect in ("sqlite", "postgres"):
        for check in load_checks(dialect):  # type: ignore[arg-type]
            assert rows[check.name] == check.severity
            assert check.requires[0] == "manuscripts.lexical_state"  # so that it runs on a Maxwell database only


def test_a_check_in_both_dialects_says_the_same_of_itself() -> None:
    sqlite, postgres = ({check.name: check for check in load_checks(dialect)} for dialect in ("sqlite", "postgres"))  # type: ignore[arg-type]
    assert sqlite.keys() == postgres.keys()
    for name, check in sqlite.items():
        other = postgres[name]
        assert (check.severity, check.requires, check.summary) == (other.severity, other.requires, other.summary), name
