"""lint reviews every file, without a database, and says what it found as people and programs want it."""

from __future__ import annotations

import json
import re
import shutil
import time
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import xmlschema

from runner.domain.ddl import effects
from runner.operations.lint import lint_files
from runner.rules import modules, rules
from tests.support.linting import HEAD, NEXT, Reviewed, reviewed
from tests.support.tool import MAXWELL, ROOT, maxwell_db

DEPENDS = f"-- depends: {HEAD}\n"
SCHEMAS = Path(__file__).parent / "schemas"
BAD = "ALTER TABLE notes ADD COLUMN kind TEXT NOT NULL;\n\nUPDATE notes SET kind = '<&\"%';\n"
BACK = "ALTER TABLE notes DROP COLUMN kind;\n"


@pytest.fixture
def bad(tmp_path: Path) -> Reviewed:
    """Two findings of our own in each dialect: an error and a warning."""
    folder = reviewed(tmp_path / "sql")
    folder.add(NEXT, BAD, BACK, header=DEPENDS)
    return folder


def test_maxwells_own_files_are_clean() -> None:
    result = maxwell_db("--json", "lint", "--squawk", "require", "--strict")
    answer = result.json()
    assert (result.exit_code, answer["findings"], answer["squawk"]) == (0, [], "ran")
    assert answer["files"] == len(list(MAXWELL.rglob("*.sql")))
    assert answer["database"] is None


def test_the_text_has_place_line_caret_and_hint(bad: Reviewed) -> None:
    result = bad.lint(cwd=bad.root.parent)
    assert result.exit_code == 1
    assert result.stdout.startswith(
        f"sql/postgres/{NEXT}.sql:4:30: error: the column notes.kind is NOT NULL and has no default "
        "[not-null-without-default]\n"
        "    ALTER TABLE notes ADD COLUMN kind TEXT NOT NULL;\n"
        "                                 ^\n"
        "    hint: "
    )
    assert result.stdout.endswith("8 files reviewed: 2 errors, 2 warnings.\n")


def test_all_problems_of_all_files_are_told_at_once(tmp_path: Path) -> None:
    folder = reviewed(tmp_path / "sql", "sqlite")
    folder.write("sqlite", "1_first.sql", "-- Why.\n-- verison: 1\n-- depends: nobody\nBEGIN;\nCOMMIT;\n")
    folder.write("sqlite", "1_first.rollback.sql", "SELECT 1;\r\n")
    folder.write("sqlite", "2_second.sql", "-- Nothing.\n")
    folder.write("sqlite", "notes.txt", "x")
    found = {(Path(one["file"]).name, one["rule"], one["line"]) for one in folder.findings()}
    assert found >= {
        ("1_first.sql", "header", 2),
        ("1_first.sql", "order", 3),
        ("1_first.sql", "transaction-control", 4),
        ("1_first.sql", "transaction-control", 5),
        ("1_first.rollback.sql", "file-encoding", 1),
        ("2_second.sql", "empty-file", 1),
        ("notes.txt", "unexpected-file", 1),
    }


def test_only_the_files_that_are_named(bad: Reviewed) -> None:
    one = bad.root / "sqlite" / f"{NEXT}.sql"
    assert {found["file"] for found in bad.findings(str(one))} == {str(one)}
    assert bad.findings(str(bad.root / "sqlite" / f"{HEAD}.sql")) == []
    assert {Path(found["file"]).parent.name for found in bad.findings(str(bad.root / "postgres"))} == {"postgres"}
    assert bad.findings(str(bad.root)) == bad.findings()


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("no/such.sql",), "NO_SUCH_FILE"),
        (("README.md",), "NO_SUCH_FILE"),
        (("--ignore", "no-such-rule"), "UNKNOWN_RULE"),
    ],
)
def test_what_is_not_there_is_refused(arguments: tuple[str, ...], code: str) -> None:
    result = maxwell_db("--json", "lint", *arguments, cwd=ROOT)
    assert (result.exit_code, result.json()["error"]["code"]) == (2, code)


def test_a_folder_without_migrations_is_refused(tmp_path: Path) -> None:
    result = maxwell_db("--json", "lint", sql=tmp_path)
    assert (result.exit_code, result.json()["error"]["code"]) == (2, "NO_MIGRATIONS")


def test_a_folder_of_one_dialect_is_of_the_database_s_dialect(tmp_path: Path) -> None:
    folder = reviewed(tmp_path / "sql", "sqlite")
    flat = tmp_path / "migrations"
    shutil.move(folder.root / "sqlite", flat)
    path = flat / f"{HEAD}.sql"
    path.write_text(path.read_text().replace(")", ") STRICT"))

    def found(*arguments: str) -> set[str]:
        result = maxwell_db("--json", "lint", "--squawk", "off", *arguments, sql=flat)
        return {one["rule"] for one in result.json()["findings"]}

    assert found() == {"sqlite-version"}
    assert found("-d", "postgresql:///x") == set()
    assert found("-d", "postgresql:///x", "--dialect", "sqlite") == {"sqlite-version"}


def test_strict_makes_warnings_count(tmp_path: Path) -> None:
    folder = reviewed(tmp_path / "sql")
    folder.add(NEXT, "UPDATE notes SET body = '';\n", "SELECT 1;\n", header=DEPENDS)
    assert (folder.lint().exit_code, folder.lint("--strict").exit_code) == (0, 1)
    assert folder.lint("--strict", "--ignore", "update-without-where").exit_code == 0


def test_a_suppression_before_a_statement_is_for_it_alone(tmp_path: Path) -> None:
    folder = reviewed(tmp_path / "sql", "sqlite")
    update = "UPDATE notes SET body = '';\n"
    ignore = "-- lint-ignore: update-without-where few rows\n"
    folder.add(NEXT, f"{ignore}{update}\n{update}", "SELECT 1;\n", header=DEPENDS)
    assert [one["line"] for one in folder.findings()] == [7]


def test_a_suppression_in_the_header_is_for_the_file(tmp_path: Path) -> None:
    folder = reviewed(tmp_path / "sql", "sqlite")
    update = "UPDATE notes SET body = '';\n"
    ignore = "-- lint-ignore: update-without-where few rows\n-- lint-ignore: trailing-text nobody uses yoyo\n"
    folder.add(NEXT, f"{update}\n{update}-- End.\n", "SELECT 1;\n", header=DEPENDS + ignore)
    assert folder.findings() == []
    applied = maxwell_db("apply", database=f"sqlite:///{tmp_path}/x.db", sql=folder.root)
    assert applied.exit_code == 0, applied.stderr


def test_a_suppression_in_a_rollback_file(tmp_path: Path) -> None:
    folder = reviewed(tmp_path / "sql", "sqlite")
    folder.add(
        NEXT,
        "SELECT 1;\n",
        "-- lint-ignore: update-without-where few rows\nUPDATE notes SET body = '';\n",
        header=DEPENDS,
    )
    assert folder.findings() == []
    assert maxwell_db("apply", database=f"sqlite:///{tmp_path}/x.db", sql=folder.root).exit_code == 0


def test_squawk_finds_what_locks_a_table_and_can_be_silenced(tmp_path: Path) -> None:
    folder = reviewed(tmp_path / "sql")
    index = "CREATE INDEX notes_body ON notes (body);\n"

    def write(text: str) -> None:
        folder.add(NEXT, text, "DROP INDEX notes_body;\n", header=DEPENDS)

    write(index)
    (found,) = folder.findings(squawk="require")
    assert (found["rule"], found["line"], found["column"]) == ("squawk/require-concurrent-index-creation", 4, 1)
    assert Path(found["file"]) == folder.root / "postgres" / f"{NEXT}.sql"
    write(f"-- squawk-ignore require-concurrent-index-creation\n{index}")
    assert folder.findings(squawk="require") == []
    # Only where squawk runs is it known that the line is of no use, and on SQLite it never is.
    postgres = Reviewed(folder.root, ("postgres",))
    ignored = f"-- lint-ignore: squawk/require-concurrent-index-creation a small table\n{index}"
    postgres.add(NEXT, ignored, "DROP INDEX notes_body;\n", header=DEPENDS)
    assert folder.findings(squawk="require") == []
    assert folder.findings(squawk="off") == []


def test_squawk_knows_which_files_run_outside_a_transaction(tmp_path: Path) -> None:
    folder = reviewed(tmp_path / "sql", "postgres")
    text = "CREATE INDEX CONCURRENTLY notes_body ON notes (body);\n"
    folder.add(NEXT, text, "DROP INDEX notes_body;\n", header=f"{DEPENDS}-- transactional: false\n")
    assert folder.findings(squawk="require") == []
    folder.add(NEXT, f"SELECT 1;\n{text}", "DROP INDEX notes_body;\n", header=DEPENDS)
    assert "squawk/ban-concurrent-index-creation-in-transaction" in folder.rules(squawk="require")


def test_that_squawk_is_missing_is_said(bad: Reviewed, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("runner.operations.squawk.sysconfig.get_path", lambda name: str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    assert bad.lint("--json", squawk="auto").json()["squawk"] == "missing"
    assert "squawk is not installed" in bad.lint(squawk="auto").stdout
    result = bad.lint("--json", squawk="require")
    assert (result.exit_code, result.json()["error"]["code"]) == (2, "SQUAWK_MISSING")


def test_lint_files_reviews_the_pending_files_of_a_dialect(bad: Reviewed) -> None:
    folder = bad.root / "postgres"
    found = lint_files(folder, "postgres", [folder / f"{NEXT}.sql"])
    assert [(one.rule, one.line) for one in found] == [("not-null-without-default", 4), ("update-without-where", 6)]
    assert lint_files(folder, "postgres", [folder / f"{HEAD}.sql"]) == ()


# The formats.


def test_sarif_is_valid(bad: Reviewed) -> None:
    answer = json.loads(bad.lint("--format", "sarif", cwd=bad.root.parent).stdout)
    jsonschema.validate(answer, json.loads((SCHEMAS / "sarif-2.1.0-subset.json").read_text()))
    (run,) = answer["runs"]
    described = run["tool"]["driver"]["rules"]
    assert len(run["results"]) == 4
    for result in run["results"]:
        assert described[result["ruleIndex"]]["id"] == result["ruleId"]
        (place,) = result["locations"]
        assert (bad.root.parent / place["physicalLocation"]["artifactLocation"]["uri"]).is_file()
    assert len({result["partialFingerprints"]["maxwellFinding/v1"] for result in run["results"]}) == 4


@pytest.mark.parametrize("schema", ["junit-jenkins.xsd", "junit-windyroad.xsd"])
def test_junit_is_valid(bad: Reviewed, schema: str) -> None:
    text = bad.lint("--format", "junit", cwd=bad.root.parent).stdout
    xmlschema.XMLSchema(str(SCHEMAS / schema)).validate(text)
    assert text.count("<testcase") == 8 and text.count("<failure") == 2
    strict = bad.lint("--format", "junit", "--strict", cwd=bad.root.parent).stdout
    assert strict.count("2 findings: ") == 2


def test_github_annotations_have_file_and_line(bad: Reviewed) -> None:
    lines = bad.lint("--format", "github", cwd=bad.root.parent).stdout.splitlines()
    assert len(lines) == 4
    assert lines[0].startswith(
        f"::error file=sql/postgres/{NEXT}.sql,line=4,col=30,title=not-null-without-default::the"
    )
    assert lines[1].startswith(f"::warning file=sql/postgres/{NEXT}.sql,line=6,col=1,title=update-without-where::")


def test_github_annotations_escape_what_would_end_them(tmp_path: Path) -> None:
    folder = reviewed(tmp_path / "a,b:c", "sqlite")
    folder.add(NEXT, "SELECT 1;\n", 'DROP TABLE "50%\n::x";\n', header=DEPENDS)
    (line,) = folder.lint("--format", "github", cwd=tmp_path).stdout.splitlines()
    properties, message = re.fullmatch(r"::error ([^:]*)::(.*)", line).groups()  # type: ignore[union-attr]
    assert "file=a%2Cb%3Ac/sqlite/" in properties and "50%25%0A::x" in message


def test_gitlab_gets_fingerprint_and_location(bad: Reviewed) -> None:
    def entries() -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads(bad.lint("--format", "gitlab", cwd=bad.root.parent).stdout)
        return found

    before = entries()
    assert [(one["location"]["lines"]["begin"], one["severity"]) for one in before[:2]] == [(4, "major"), (6, "minor")]
    assert before[0]["location"]["path"] == f"sql/postgres/{NEXT}.sql"
    bad.add(NEXT, f"\n\n{BAD}", BACK, header=DEPENDS)
    after = entries()
    assert [one["fingerprint"] for one in after] == [one["fingerprint"] for one in before]
    assert len({one["fingerprint"] for one in after}) == 4


def test_quiet_says_nothing_of_clean_files(tmp_path: Path) -> None:
    folder = reviewed(tmp_path / "sql")
    assert folder.lint("-q").stdout == ""
    assert folder.lint().stdout == "4 files reviewed: 0 errors, 0 warnings.\n"


# The rules themselves.


def test_a_rule_has_a_file_of_its_name_and_an_id() -> None:
    for module in modules():
        assert module.__name__.rpartition(".")[2] == module.RULE.name.replace("-", "_")
    ids = [rule.id for rule in rules()]
    assert len(set(ids)) == len(ids) and all(re.fullmatch(r"MX\d{3}", id) for id in ids)


def test_the_page_has_every_rule() -> None:
    """``MAXWELL_WRITE_DOCS=1`` writes the page anew."""
    import os

    page = ROOT / "docs" / "rules.md"
    head, mark, _ = page.read_text().partition("<!-- rules -->\n")
    written = (
        head
        + mark
        + "".join(
            f"\n## {rule.name}\n\n{rule.id}, {'error' if rule.severity == 'error' else 'warning'}. {rule.problem}\n\n"
            f"Solution: {rule.solution}\n\n```{'sql' if ';' in rule.example else 'text'}\n{rule.example}```\n"
            for rule in rules()
        )
    )
    if os.environ.get("MAXWELL_WRITE_DOCS"):
        page.write_text(written)
    assert page.read_text() == written


def test_a_thousand_files_take_less_than_two_seconds(tmp_path: Path) -> None:
    folder = Reviewed(tmp_path / "sql")
    before = ""
    for number in range(250):
        id = f"20260301_{number // 60:02}{number % 60:02}_phase4_t{number}_add_table"
        columns = "".join(f"    c{column} VARCHAR(36) NOT NULL DEFAULT 'x',\n" for column in range(8))
        table = f"CREATE TABLE t{number} (\n    id INTEGER NOT NULL PRIMARY KEY,\n{columns}    last TEXT\n);\n\n"
        index = f"CREATE INDEX t{number}_c1 ON t{number} (c1, c2);\n"
        folder.add(id, table + index, f"DROP INDEX t{number}_c1;\n\nDROP TABLE t{number};\n", header=before)
        before = f"-- depends: {id}\n"
    started = time.process_time()
    answer = folder.lint("--json").json()
    assert time.process_time() - started < 2
    assert (answer["files"], answer["findings"]) == (1000, [])


def test_what_a_statement_does_is_read_from_its_tokens() -> None:
    (table,) = effects(
        'CREATE TABLE IF NOT EXISTS public."T" (a int REFERENCES p ON DELETE SET DEFAULT, b text DEFAULT now()::text,'
        " CONSTRAINT u UNIQUE (a, b), FOREIGN KEY (b) REFERENCES q (x));",
        "postgres",
    )
    assert (table.name, [column.name for column in table.columns]) == ("T", ["a", "b"])
    assert [column.default for column in table.columns] == [(), ("NOW", "(", ")", "::", "TEXT")]
    assert [(key.columns, key.parent) for key in table.keys] == [(("a",), "p"), (("b",), "q")]
    assert table.indexed == (("a", "b"),)
    many = effects("ALTER TABLE ONLY t ADD a int, DROP COLUMN IF EXISTS b, RENAME c TO d", "postgres")
    assert [(one.verb, one.kind, one.name, one.to) for one in many] == [
        ("create", "column", "a", ""),
        ("drop", "column", "b", ""),
        ("rename", "column", "c", "d"),
    ]
    assert [one.name for one in effects("DROP TABLE IF EXISTS [a b], `c`", "sqlite")] == ["a b", "c"]
