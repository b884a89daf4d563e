"""The report says what is there and what would be done, in every form, and writes nothing to the database."""

from __future__ import annotations

import json
import re
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.databases import Database
from tests.support.tool import Result, maxwell_db

LAST = "20260126_1000_phase3_coach_add_tables"


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Two migrations in both dialects; the second touches what the first made."""
    root = tmp_path / "sql"
    write(
        root,
        "001_probe",
        "CREATE TABLE probe (id INTEGER NOT NULL PRIMARY KEY, unit TEXT, old TEXT);",
        "DROP TABLE probe;",
    )
    write(
        root,
        "002_reading",
        "CREATE TABLE reading (id INTEGER NOT NULL PRIMARY KEY, probe_id INTEGER REFERENCES probe (id));\n"
        "ALTER TABLE probe ADD COLUMN name TEXT;\nALTER TABLE probe DROP COLUMN old;",
        "ALTER TABLE probe ADD COLUMN old TEXT;\nALTER TABLE probe DROP COLUMN name;\nDROP TABLE reading;",
    )
    return root


def write(root: Path, id: str, apply: str, rollback: str, dialects: tuple[str, ...] = ("sqlite", "postgres")) -> None:
    for dialect in dialects:
        (root / dialect).mkdir(parents=True, exist_ok=True)
        (root / dialect / f"{id}.sql").write_text(f"-- What {id} is for.\n\n{apply}\n")
        (root / dialect / f"{id}.rollback.sql").write_text(f"-- Undo {id}.\n{rollback}\n")


def report(*arguments: str, expect: int = 0, **where: Any) -> Result:
    result = maxwell_db("report", *arguments, **where)
    assert result.exit_code == expect, result.stdout + result.stderr
    return result


def facts(*arguments: str, expect: int = 0, **where: Any) -> dict[str, Any]:
    return report("--json", *arguments, expect=expect, **where).json()


def everything(database: Database) -> list[Any]:
    if database.dialect == "sqlite":
        return database.query("SELECT type, name, sql FROM sqlite_master ORDER BY 1, 2")
    return database.query(
        "SELECT relname::text, relkind::text FROM pg_class WHERE relnamespace = 'public'::regnamespace ORDER BY 1"
    )


def test_it_shows_what_is_pending_and_what_that_does_to_the_schema(database: Database, tree: Path) -> None:
    assert maxwell_db("apply", "001_probe", database=database, sql=tree).exit_code == 0
    before = everything(database)
    found = facts("--verify", database=database, sql=tree)
    assert everything(database) == before
    assert [change["id"] for change in found["changes"]] == ["002_reading"]
    assert set(found["changes"][0]["files"]) == {"sqlite", "postgres"}
    assert found["schema"]["tables"] == {"probe": "changed", "reading": "added"}
    differences = {(one["kind"], one["name"]): one["problem"] for one in found["schema"]["differences"]}
    assert differences["column", "probe.name"] == "unexpected" and differences["column", "probe.old"] == "missing"
    assert found["counts"] == {"probe": 0}
    assert [one["id"] for one in found["history"]] == ["001_probe"]
    checks = {check["name"]: check for check in found["checks"]}
    new = [check["name"] for check in checks.values() if check["new"]]
    assert any("reading" in name for name in new) and checks[new[0]]["result"] == "not run"
    assert {check["result"] for check in checks.values()} >= {"passed"}
    assert found["rehearsal"] is None and found["notes"] == {}


def test_the_forms_show_both_dialects_rollbacks_and_checksums(database: Database, tree: Path, tmp_path: Path) -> None:
    assert maxwell_db("apply", "001_probe", database=database, sql=tree).exit_code == 0
    report("-o", str(tmp_path / "a.html"), database=database, sql=tree)
    report("-o", str(tmp_path / "a.md"), database=database, sql=tree)
    found = facts(database=database, sql=tree)
    for file in ("a.html", "a.md"):
        text = (tmp_path / file).read_text()
        for script in (
            script for files in found["changes"][0]["files"].values() for script in (files["apply"], files["rollback"])
        ):
            assert script["sha256"] in text
        assert text.count("Undo 002_reading.") == 2 and text.count("What 002_reading is for.") == 2
        assert "001_probe" in text and "drop-column" in text  # a rule of lint
    assert report(database=database, sql=tree).stdout.startswith("# Migration report: ")
    assert report("--format", "html", "-o", "-", database=database, sql=tree).stdout.startswith("<!doctype html>")


def test_a_finding_stands_under_its_line(tree: Path, tmp_path: Path) -> None:
    report("-o", str(tmp_path / "a.html"), database=f"sqlite:///{tmp_path / 'none.db'}", sql=tree)
    text = (tmp_path / "a.html").read_text()
    at = re.search(r'id="(c2-sqlite-apply-5)" data-n="5">(.*?)<span class="line"', text, re.DOTALL)
    assert at and "DROP" in at[2] and 'class="note' in at[2] and "drop-column" in at[2]
    assert f'href="#{at[1]}"' in text


def test_a_database_that_is_not_there_is_empty_and_stays_away(tree: Path, tmp_path: Path) -> None:
    found = facts(database=f"sqlite:///{tmp_path / 'none.db'}", sql=tree)
    assert [change["id"] for change in found["changes"]] == ["001_probe", "002_reading"]
    assert found["counts"] is None and "not there" in found["notes"]["standing"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["sql"]


def test_after_a_target_is_a_release_that_was_applied(database: Database) -> None:
    assert maxwell_db("apply", database=database).exit_code == 0
    assert facts(database=database)["changes"] == []
    found = facts("--after", "1.2.0", database=database)
    assert [(change["id"], change["state"]) for change in found["changes"] if change["id"] < "202603"] == [
        (LAST, "applied")
    ]
    later = {change["state"] for change in found["changes"] if change["id"] > "202603"}
    assert later == {"applied" if database.dialect == "postgres" else None}  # PostgreSQL's alone, on purpose
    added = [name for name, mark in found["schema"]["tables"].items() if mark == "added"]
    assert set(added) >= {"coaching_history", "feedback_patterns", "writing_profiles"}
    assert len(found["schema"]["tables"]) >= 16
    page = report("--after", "1.2.0", "--format", "html", database=database).stdout
    (wide,) = re.findall(r'<svg class="schema"[^>]* width="(\d+)"', page)
    assert int(wide) <= 1344  # of a window of 1,400 pixels the page has so many
    assert facts("--after", "nowhere", database=database, expect=2)["error"]["code"] == "UNKNOWN_TARGET"


def test_what_one_dialect_has_alone_is_said(tree: Path, tmp_path: Path) -> None:
    write(tree, "003_more", "CREATE TABLE more (id INTEGER);", "DROP TABLE more;", ("postgres",))
    url = f"sqlite:///{tmp_path / 'a.db'}"
    assert maxwell_db("apply", database=url, sql=tree).exit_code == 0
    found = facts(database=url, sql=tree)
    assert [(change["id"], change["state"], list(change["files"])) for change in found["changes"]] == [
        ("003_more", None, ["postgres"])
    ]
    assert "no header says that this is meant" in report(database=url, sql=tree).stdout


def test_a_folder_that_is_refused_is_shown_with_what_can_be_read(tree: Path, tmp_path: Path) -> None:
    (tree / "sqlite" / "notes.py").write_text("print()\n")
    (tree / "sqlite" / "002_reading.rollback.sql").unlink()
    found = facts(database=f"sqlite:///{tmp_path / 'none.db'}", sql=tree)
    assert len(found["refused"]) == 2 and any("notes.py" in problem for problem in found["refused"])
    assert "The folder is refused" in report(database=f"sqlite:///{tmp_path / 'none.db'}", sql=tree).stdout
    empty = tmp_path / "empty"
    empty.mkdir()
    assert facts(database="sqlite:///none.db", sql=empty, expect=2)["error"]["code"] == "NO_MIGRATIONS"


def test_a_change_that_fails_is_shown_with_the_schema_of_before(database: Database, tree: Path) -> None:
    write(tree, "003_bad", "CREATE TABLE probe (id INTEGER);", "SELECT 1;")
    assert maxwell_db("apply", "002_reading", database=database, sql=tree).exit_code == 0
    found = facts(database=database, sql=tree)
    assert "003_bad.sql:3" in found["notes"]["schema"] and set(found["schema"]["tables"]) == {"probe", "reading"}


def test_without_a_scratch_database_the_page_says_so(make_database: Callable[[str], Database], tree: Path) -> None:
    database = make_database("postgres")
    found = facts("--scratch", "postgresql://nobody@127.0.0.1:1/none", database=database, sql=tree)
    assert found["schema"] is None and "scratch database" in found["notes"]["schema"]
    assert (
        "scratch database"
        in report(
            "--scratch", "postgresql://nobody@127.0.0.1:1/none", "--format", "html", database=database, sql=tree
        ).stdout
    )


def test_a_rehearsal_that_was_made_before_is_read_and_its_age_told(tree: Path, tmp_path: Path, pg_url: str) -> None:
    url, file = f"sqlite:///{tmp_path / 'none.db'}", tmp_path / "rehearsal.json"
    made = maxwell_db("rehearse", "--json", "--scratch", pg_url, "--rows", "3", database=url, sql=tree)
    file.write_text(made.stdout)
    found = facts("--rehearsal", str(file), database=url, sql=tree)["rehearsal"]
    written = json.loads(made.stdout)
    assert found["steps"] == written["steps"] and found["statements"] == written["statements"]
    assert found["stale"] == []
    page = report("--rehearsal", str(file), "--format", "html", database=url, sql=tree).stdout
    assert "ACCESS EXCLUSIVE" in page and 'class="note measured"' in page
    path = tree / "sqlite" / "002_reading.sql"
    path.write_text(path.read_text() + "-- More.\n")
    assert facts("--rehearsal", str(file), database=url, sql=tree)["rehearsal"]["stale"] == ["sqlite/002_reading.sql"]
    assert "These files were others then" in report("--rehearsal", str(file), database=url, sql=tree).stdout


def test_a_rehearsal_is_made_if_asked_for(tree: Path, tmp_path: Path, pg_url: str) -> None:
    url = f"sqlite:///{tmp_path / 'none.db'}"
    found = facts("--rehearse", "--scratch", pg_url, "--rows", "3", database=url, sql=tree)["rehearsal"]
    assert found["passed"] and found["source"] == "Rehearsed for this page"
    assert set(found["servers"]) == {"sqlite", "postgres"}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        '{"passed": true}',
        "[" * 100_000,
        json.dumps({"passed": 1, "servers": {}, "steps": [{}], "statements": [], "rows": {}, "notes": []}),
        json.dumps({"passed": 1, "servers": {"oracle": "23"}, "steps": [], "statements": [], "rows": {}, "notes": []}),
    ],
    ids=range(7),
)
def test_a_file_that_is_no_rehearsal(tree: Path, tmp_path: Path, text: str) -> None:
    file = tmp_path / "other.json"
    file.write_text(text)
    error = facts("--rehearsal", str(file), database="sqlite:///none.db", sql=tree, expect=2)["error"]
    assert error["code"] == "BAD_REHEARSAL" and error["file"] == str(file)


def test_a_file_is_replaced_whole_or_not_at_all(tree: Path, tmp_path: Path) -> None:
    where: dict[str, Any] = {"database": f"sqlite:///{tmp_path / 'none.db'}", "sql": tree}
    file, link = tmp_path / "real.html", tmp_path / "link.html"
    file.write_text("old")
    file.chmod(0o640)
    link.symlink_to(file)
    report("-o", str(link), **where)
    assert link.is_symlink() and file.read_text().startswith("<!doctype html>")
    assert stat.S_IMODE(file.stat().st_mode) == 0o640
    assert facts("-o", str(tmp_path / "none" / "a.html"), expect=2, **where)["error"]["code"] == "CANNOT_WRITE"
    assert facts("-o", str(tmp_path / "a.txt"), expect=2, **where)["error"]["code"] == "USAGE"
    assert facts("--rehearse", "--rehearsal", str(file), expect=2, **where)["error"]["code"] == "USAGE"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["link.html", "real.html", "sql"]


def test_markdown_fits_into_a_comment_and_says_what_is_cut(tmp_path: Path) -> None:
    root = tmp_path / "sql"
    for number in range(60):
        rows = "\n".join(f"INSERT INTO t{number} VALUES ({row}, '{'ä' * 40}');" for row in range(60))
        apply = f"CREATE TABLE t{number} (id INTEGER NOT NULL PRIMARY KEY, words TEXT);\n{rows}"
        write(root, f"{number:03}_{'long_' * 20}", apply, f"DROP TABLE t{number};")
    text = report(database="sqlite:///none.db", sql=root).stdout
    assert 20_000 < len(text.encode()) <= 60_000
    assert "more than GitHub has room for" in text or "Cut: " in text
    assert text.count("<details>") == text.count("</details>")


def test_markdown_takes_hostile_names_as_text(tmp_path: Path) -> None:
    root = tmp_path / "sql"
    name = "a`|b</code><script>alert(1)</script> @everyone \u202e"
    apply = f'-- ``` <b>out</b> @team\n```\n*/\nCREATE TABLE "{name}" (id INTEGER);'.replace("```\n*/\n", "-- ````\n")
    write(root, "001_hostile", apply, f'DROP TABLE "{name}";')
    text = report(database="sqlite:///none.db", sql=root).stdout
    outside = re.sub(r"(?ms)^(`{3,})sql\n.*?^\1$", "", text)
    assert "`````sql" in text and "<b>out</b>" in text and "<b>out</b>" not in outside
    bare = re.sub(r"(`+)(?!`).+?(?<!`)\1(?!`)", "", outside)
    assert "<script>" not in bare and "@everyone" not in bare and "\u202e" not in text
    # A cell stays one cell.
    rows = [line for line in text.splitlines() if line.startswith("| + new")]
    assert rows and all(len(re.findall(r"(?<!\\)\|", row)) == 4 for row in rows)


def test_it_takes_no_lock_and_waits_for_none(database: Database) -> None:
    """Beside a run, as status does."""
    assert maxwell_db("apply", "1.0.0", database=database).exit_code == 0
    with database.connect() as connection:
        cursor = connection.cursor()
        cursor.execute("BEGIN")
        cursor.execute("INSERT INTO manuscripts (id, title) VALUES ('1', 'x')")
        assert facts(database=database)["counts"]["manuscripts"] == 0
        cursor.execute("ROLLBACK")


def test_the_picture_s_layout_holds_for_any_shape() -> None:
    from itertools import combinations
    from random import Random

    from runner.report.layers import Box
    from runner.report.layout import Line, lay_out

    random = Random(7)
    for tables in (0, 1, 2, 5, 40, 120):
        boxes = [Box(f"t{number}", random.uniform(120, 300), random.uniform(40, 400)) for number in range(tables)]
        names = [box.name for box in boxes]
        lines = [Line(random.choice(names), random.choice([*names, "elsewhere"]), 10, 10) for _ in range(2 * tables)]
        layout = lay_out(boxes, lines)
        assert layout.corners.keys() == set(names)
        for one, other in combinations(boxes, 2):
            (x, y), (left, top) = layout.corners[one.name], layout.corners[other.name]
            apart = x + one.width <= left or left + other.width <= x or y + one.height <= top or top + other.height <= y
            assert apart, (one, other)
        for box in boxes:
            x, y = layout.corners[box.name]
            assert x >= 0 and y >= 0 and x + box.width <= layout.width and y + box.height <= layout.height


def test_the_picture_marks_by_sign_and_word_what_is_new_changed_and_dropped(tree: Path, tmp_path: Path) -> None:
    write(
        tree,
        "003_more",
        "DROP TABLE reading;\nCREATE TABLE other (id INTEGER);\nCREATE INDEX u ON probe (unit);",
        "SELECT 1;",
    )
    page = report(
        *("--after", "002_reading", "--format", "html"), database=f"sqlite:///{tmp_path / 'none.db'}", sql=tree
    ).stdout
    (picture,) = re.findall(r"<svg class=\"schema\".*?</svg>", page, re.DOTALL)
    marks = dict(re.findall(r'<g class="table (\w+)">.*?class="word"[^>]*>([^<]+)<', picture, re.DOTALL))
    assert marks == {"added": "+ new", "changed": "~ changed", "dropped": "\N{MINUS SIGN} dropped"}
    assert "3 tables. Added: other. Changed: probe. Dropped: reading." in picture
    assert 'class="line dropped"' in picture


def test_of_many_tables_the_picture_has_those_that_matter(tmp_path: Path) -> None:
    root = tmp_path / "sql"
    tables = "".join(f"CREATE TABLE t{number} (id INTEGER NOT NULL PRIMARY KEY);\n" for number in range(60))
    write(root, "001_many", tables, "SELECT 1;", ("sqlite",))
    write(root, "002_more", "CREATE TABLE new (t7_id INTEGER REFERENCES t7 (id));", "DROP TABLE new;", ("sqlite",))
    page = report("--after", "001_many", "--format", "html", database="sqlite:///none.db", sql=root).stdout
    assert re.findall(r'<text class="name"[^>]*>([^<]+)<', page) == ["new", "t7"]
    assert "59 tables more" in page and page.count("<code>t59</code>") == 1  # in words all of them are there
