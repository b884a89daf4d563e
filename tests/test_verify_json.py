"""JSON as PostgreSQL judges it from version 16 on, and as regular expressions do before: the same violations."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.databases import Database
from tests.support.maxwell_schema import MIGRATIONS
from tests.test_verify_checks import BAD_JSON, GOOD_JSON
from verify.errors import VerifyError
from verify.loader import load_checks

MakeDatabase = Callable[[str], Database]

MORE = ['{"a": 1}', '{"a": {"b": [1, {"c": null}]}}', "{}", '{"a": 1, "a": 2}', '["\\u0000 \\ud800"]', "[1]\n", "\v[1]"]
MORE += [
    "[" * 1000 + "]" * 1000,
    "[" * 1001 + "]" * 1001,
    "[" + "{}," * 3000 + "{}]",
    "[" + "{}," * 3000 + "{]",
    "[" * 90_000,
]


def test_both_forms_of_a_check_find_the_same(make_database: MakeDatabase) -> None:
    database = make_database("postgres")
    for migration in MIGRATIONS:
        database.script(migration.script("postgres"))
    texts = [*GOOD_JSON, *BAD_JSON, *MORE, None]
    with database.connect() as connection, connection.cursor() as cursor:
        for number, text in enumerate(texts):
            cursor.execute(
                "INSERT INTO entities (id, type, name, aliases, attributes, appearance_history)"
                " VALUES (%s, 'LORE', 'x', %s, %s, %s)",
                (f"{number:03}", text, text, text),
            )
        cursor.execute("SHOW server_version_num")
        if int(cursor.fetchone()[0]) < 160000:
            pytest.skip("this server does not know IS JSON")
    old, new = ({check.name: check for check in load_checks("postgres", version=n)} for n in (15, 16))
    assert "IS JSON" in new["entity-json"].sql and "IS JSON ARRAY" not in old["entity-json"].sql
    found = [sorted(database.query(checks["entity-json"].sql)) for checks in (old, new)]
    assert found[0] == found[1]
    assert len(found[0]) > len(BAD_JSON) * 2


def test_the_newer_form_differs_in_its_filter_alone() -> None:
    old, new = ({check.name: check for check in load_checks("postgres", version=n)} for n in (13, 18))
    changed = {name for name in old if old[name].sql != new[name].sql}
    assert changed == {"entity-json", "location-json", "profile-json", "relationship-json"}
    for name in changed:
        assert (old[name].severity, old[name].requires, old[name].summary) == (
            new[name].severity,
            new[name].requires,
            new[name].summary,
        )
        lines = {line for line in new[name].sql.splitlines() if not line.strip().startswith("--")}
        assert len(lines - set(old[name].sql.splitlines())) == 4


def test_a_folder_of_ones_own_may_have_it_too(tmp_path: Path) -> None:
    for folder, words in (("common", "any"), ("postgres", "old"), ("postgres-16", "new")):
        (tmp_path / folder).mkdir()
        text = f"-- check: mine\n-- severity: warn\n-- It holds: {words}.\nSELECT 1\n"
        (tmp_path / folder / "mine.sql").write_text(text)
    for dialect, version, words in (("sqlite", 0, "any"), ("postgres", 15, "old"), ("postgres", 16, "new")):
        (mine,) = [check for check in load_checks(dialect, [tmp_path], version) if check.name == "mine"]  # type: ignore[arg-type]
        assert words in mine.summary
    (tmp_path / "postgres-16" / "mine.sql").write_text("SELECT 1\n")
    for dialect, version in (("sqlite", 0), ("postgres", 15), ("postgres", 16)):  # told before it is in the way
        with pytest.raises(VerifyError, match="check: NAME"):
            load_checks(dialect, [tmp_path], version)  # type: ignore[arg-type]
