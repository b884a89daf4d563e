"""Every rule of lint finds a bad file, and leaves a good one that looks like it alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from runner.rules import rules
from tests.support.linting import HEAD, LAST, NEXT, TABLE, Reviewed, reviewed

DEPENDS = f"-- depends: {HEAD}\n"


@dataclass(frozen=True)
class Pair:
    """What stands in the second migration: SQL that a rule finds, and SQL that it does not."""

    rule: str
    bad: str
    good: str
    back: str = "SELECT 1;\n"  # the rollback of both
    good_back: str | None = None
    header: str = ""
    good_header: str | None = None
    dialects: tuple[str, ...] = ("sqlite", "postgres")


SQLITE, POSTGRES = ("sqlite",), ("postgres",)
KIND = "ALTER TABLE notes ADD COLUMN kind TEXT;\n"
NO_KIND = "ALTER TABLE notes DROP COLUMN kind;\n"

PAIRS = [
    Pair("empty-file", "-- Nothing yet.\n", "SELECT 1;\n"),
    Pair("file-encoding", "SELECT 1;\r\n", "SELECT 1;\n"),
    Pair("header", "SELECT 1;\n", "SELECT 1;\n", header="-- verison: 2.0.0\n", good_header="-- version: 2.0.0\n"),
    Pair("header", "SELECT 1;\n-- depends: x\nSELECT 2;\n", "SELECT 1;\nSELECT 2; -- depends: on x\n"),
    Pair("order", "SELECT 1;\n", "SELECT 1;\n", header="-- depends: nobody\n", good_header=""),
    Pair("order", "SELECT 1;\n", "SELECT 1;\n", header="-- version: 0.1\n", good_header="-- version: 1.1\n"),
    Pair("trailing-text", "SELECT 1;\n-- The end.\n", "-- The end.\nSELECT 1;\n"),
    Pair("trailing-text", "SELECT 1;;\n", "SELECT 1;\n\n\n"),
    Pair("trailing-text", "SELECT 1; /* The end. */\n", "SELECT 1 /* in between */ ; -- The end.\n"),
    Pair(
        "splitter",
        "CREATE TABLE spans (begin INTEGER NOT NULL);\nCREATE INDEX spans_begin ON spans (begin);\n",
        'CREATE TABLE spans ("begin" INTEGER NOT NULL);\nCREATE INDEX spans_begin ON spans ("begin");\n',
        "DROP TABLE spans;\n",
    ),
    Pair("splitter", "SELECT 'C:\\', 'D';\nSELECT 'E';\n", "SELECT 'C:/', 'D';\nSELECT 'E\\';\n"),
    Pair("transaction-control", "BEGIN;\nSELECT 1;\nCOMMIT;\n", "SELECT 'BEGIN';\n"),
    Pair("pragma-foreign-keys", "PRAGMA foreign_keys = OFF;\nSELECT 1;\n", "SELECT 1;\n", dialects=SQLITE),
    Pair(
        "pragma-foreign-keys",
        "PRAGMA main.foreign_keys = OFF;\n",
        "PRAGMA optimize;\n",
        "VACUUM;\n",
        header="-- transactional: false\n",
        dialects=SQLITE,
    ),
    Pair(
        "needs-no-transaction",
        "CREATE UNIQUE INDEX CONCURRENTLY notes_body ON notes (body);\n",
        "CREATE INDEX concurrently_not ON notes (body);\n",
        "DROP INDEX notes_body;\n",
        "DROP INDEX concurrently_not;\n",
        dialects=POSTGRES,
    ),
    Pair("rollback-drops-other", KIND, KIND, NO_KIND + "DROP TABLE notes;\n", NO_KIND),
    Pair("rollback-drops-other", KIND, KIND, NO_KIND + "DROP INDEX nowhere;\n", NO_KIND),
    Pair(
        "rollback-incomplete",
        "CREATE TABLE tags (id INTEGER NOT NULL PRIMARY KEY);\nCREATE INDEX notes_body ON notes (body);\n",
        "CREATE TABLE tags (id INTEGER NOT NULL PRIMARY KEY);\nCREATE INDEX tags_id ON tags (id);\n",
        "DROP TABLE tags;\n",
    ),
    Pair("rollback-incomplete", KIND, KIND, "SELECT 1;\n", NO_KIND),
    Pair(
        "rollback-incomplete",
        "CREATE VIEW bodies AS SELECT body FROM notes;\n",
        "CREATE VIEW bodies AS SELECT body FROM notes;\n",
        "SELECT 1;\n",
        "DROP VIEW bodies;\n",
    ),
    Pair(
        "rollback-incomplete",
        "CREATE TRIGGER touch AFTER UPDATE ON notes BEGIN SELECT 1; END;\n",
        "CREATE TRIGGER touch AFTER UPDATE ON notes BEGIN SELECT 1; END;\n",
        "SELECT 1;\n",
        "DROP TRIGGER touch;\n",
        dialects=SQLITE,
    ),
    Pair(
        "rollback-incomplete",
        "ALTER TABLE notes RENAME COLUMN body TO text;\n",
        "ALTER TABLE notes RENAME COLUMN body TO text;\n",
        "SELECT 1;\n",
        "ALTER TABLE notes RENAME COLUMN text TO body;\n",
    ),
    Pair("destructive-statement", "DROP TABLE notes;\n", "SELECT 1;\n", TABLE, "SELECT 1;\n"),
    Pair(
        "destructive-statement",
        "DELETE FROM notes;\n",
        "DELETE FROM notes;\n",
        header="",
        good_header="-- expect-row-loss: notes\n",
    ),
    Pair(
        "destructive-statement",
        "TRUNCATE TABLE notes;\n",
        "CREATE TABLE tags (id INTEGER NOT NULL PRIMARY KEY);\nTRUNCATE tags;\n",
        "SELECT 1;\n",
        "DROP TABLE tags;\n",
        dialects=POSTGRES,
    ),
    Pair(
        "destructive-statement",
        "CREATE TABLE copy (id INTEGER NOT NULL PRIMARY KEY, body TEXT);\n"
        "DROP TABLE notes;\nALTER TABLE copy RENAME TO notes;\n",
        "CREATE TABLE copy (id INTEGER NOT NULL PRIMARY KEY, body TEXT);\n"
        "INSERT INTO copy (id, body) SELECT id, body FROM notes;\n"
        "DROP TABLE notes;\nALTER TABLE copy RENAME TO notes;\n",
    ),
    Pair(
        "drop-column",
        "ALTER TABLE notes DROP COLUMN body;\n",
        KIND + NO_KIND,
        "ALTER TABLE notes ADD COLUMN body TEXT;\n",
        "SELECT 1;\n",
    ),
    Pair(
        "update-without-where",
        "UPDATE notes SET body = 'where';\n",
        "UPDATE notes SET body = 'x' WHERE body IS NULL;\n",
    ),
    Pair(
        "not-null-without-default",
        "ALTER TABLE notes ADD COLUMN kind TEXT NOT NULL;\n",
        "ALTER TABLE notes ADD COLUMN kind TEXT NOT NULL DEFAULT 'note';\n",
        NO_KIND,
    ),
    Pair(
        "foreign-key-index",
        "CREATE TABLE tags (id INTEGER NOT NULL PRIMARY KEY, note INTEGER REFERENCES notes (id));\n",
        "CREATE TABLE tags (id INTEGER NOT NULL PRIMARY KEY, note INTEGER REFERENCES notes (id), "
        "word TEXT, UNIQUE (note, word));\n",
        "DROP TABLE tags;\n",
    ),
    Pair(
        "foreign-key-index",
        "CREATE TABLE tags (id INTEGER NOT NULL PRIMARY KEY, note INTEGER REFERENCES notes (id));\n"
        "CREATE INDEX tags_note ON tags (id, note);\n",
        "CREATE TABLE tags (id INTEGER NOT NULL PRIMARY KEY, note INTEGER REFERENCES notes (id));\n"
        "CREATE INDEX tags_note ON tags (note) WHERE note IS NOT NULL;\n",
        "DROP TABLE tags;\n",
    ),
    *(
        Pair("sqlite-version", bad, good, dialects=SQLITE)
        for bad, good in (
            ("SELECT body ->> '$.a' FROM notes;\n", "SELECT json_extract(body, '$.a') FROM notes;\n"),
            ("SELECT body -> '$.a' FROM notes;\n", "SELECT 'a -> b', id - 1 FROM notes;\n"),
            ("SELECT unixepoch();\n", "SELECT strftime('%s', 'now');\n"),
            ("SELECT format('%d', 1);\n", "SELECT printf('%d', 1);\n"),
            ("SELECT concat('a', 'b');\n", "SELECT 'a' || 'b';\n"),
            ("SELECT if(1, 2, 3);\n", "SELECT iif(1, 2, 3);\n"),
            (
                "SELECT * FROM notes a RIGHT JOIN notes b ON a.id = b.id;\n",
                "SELECT * FROM notes a LEFT JOIN notes b;\n",
            ),
            ("SELECT * FROM notes a FULL OUTER JOIN notes b;\n", "SELECT * FROM notes a LEFT OUTER JOIN notes b;\n"),
            ("SELECT 1 IS DISTINCT FROM 2;\n", "SELECT 1 IS NOT 2;\n"),
            ("SELECT 1 IS NOT DISTINCT FROM 2;\n", "SELECT 1 IS 2;\n"),
        )
    ),
    Pair(
        "sqlite-version",
        "CREATE TABLE tags (id INTEGER NOT NULL PRIMARY KEY) STRICT;\n",
        "CREATE TABLE tags (strict INTEGER NOT NULL PRIMARY KEY) WITHOUT ROWID;\n",
        "DROP TABLE tags;\n",
        dialects=SQLITE,
    ),
    *(
        Pair("sqlite-version", bad, KIND, "SELECT 1;\n", NO_KIND, dialects=SQLITE)
        for bad in (
            "ALTER TABLE notes ADD CONSTRAINT u UNIQUE (body);\n",
            "ALTER TABLE notes ALTER COLUMN body SET NOT NULL;\n",
            "ALTER TABLE notes ADD COLUMN a TEXT, ADD COLUMN b TEXT;\n",
            "ALTER TABLE notes ADD COLUMN IF NOT EXISTS kind TEXT;\n",
            "ALTER INDEX i RENAME TO j;\n",
        )
    ),
    *(
        Pair("sqlite-add-column", f"ALTER TABLE notes ADD COLUMN kind {bad};\n", good, NO_KIND, dialects=SQLITE)
        for bad, good in (
            ("TEXT DEFAULT CURRENT_TIMESTAMP", "ALTER TABLE notes ADD COLUMN kind TEXT DEFAULT 'CURRENT_TIMESTAMP';\n"),
            ("INTEGER DEFAULT (random())", "ALTER TABLE notes ADD COLUMN kind INTEGER DEFAULT (-1);\n"),
            ("INTEGER PRIMARY KEY", "ALTER TABLE notes ADD COLUMN kind INTEGER CHECK (kind > 0);\n"),
            ("TEXT UNIQUE", KIND),
            ("TEXT AS (body) STORED", "ALTER TABLE notes ADD COLUMN kind TEXT AS (body) VIRTUAL;\n"),
        )
    ),
    Pair("suppression", "-- lint-ignore: no-such-rule for a reason\nSELECT 1;\n", "SELECT '-- lint-ignore: x';\n"),
    Pair(
        "suppression",
        "-- lint-ignore: update-without-where\nUPDATE notes SET body = '';\n",
        "-- lint-ignore: update-without-where there are three rows\nUPDATE notes SET body = '';\n",
    ),
    Pair("suppression", "SELECT 1;\n-- lint-ignore: drop-column lost\n\nSELECT 2;\n", "SELECT 1;\n\nSELECT 2;\n"),
    Pair(
        "unused-suppression",
        "-- lint-ignore: update-without-where there are three rows\nSELECT 1;\n",
        "-- lint-ignore: update-without-where there are three rows\nUPDATE notes SET body = '';\n",
    ),
]


@pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: f"{pair.rule}-{pair.bad[:40].strip()}")
def test_a_rule_finds_the_bad_file_and_leaves_the_good_one(tmp_path: Path, pair: Pair) -> None:
    bad = reviewed(tmp_path / "bad", *pair.dialects)
    bad.add(NEXT, pair.bad, pair.back, header=DEPENDS + pair.header)
    found = [one for one in bad.findings() if one["rule"] == pair.rule]
    assert found, bad.findings()
    assert {Path(one["file"]).parent.name for one in found} == set(pair.dialects)
    good = reviewed(tmp_path / "good", *pair.dialects)
    header = pair.header if pair.good_header is None else pair.good_header
    good.add(NEXT, pair.good, pair.back if pair.good_back is None else pair.good_back, header=DEPENDS + header)
    assert good.findings() == []


def _stray(folder: Reviewed) -> None:
    folder.write("sqlite", "helpers.py", "import os\n")


def _no_rollback(folder: Reviewed) -> None:
    (folder.root / "sqlite" / f"{HEAD}.rollback.sql").unlink()


def _no_apply(folder: Reviewed) -> None:
    folder.write("postgres", f"{NEXT}.rollback.sql", "SELECT 1;\n")


def _one_dialect(folder: Reviewed) -> None:
    Reviewed(folder.root, ("postgres",)).add(NEXT, "SELECT 1;\n", "SELECT 1;\n", header=DEPENDS)


def _other_version(folder: Reviewed) -> None:
    path = folder.root / "postgres" / f"{HEAD}.sql"
    path.write_text(path.read_text().replace("version: 1.0.0", "version: 1.0.1"))


def _bad_name(folder: Reviewed) -> None:
    folder.add("20260332_0900_phase4_notes_add_kind", "SELECT 1;\n", "SELECT 1;\n", header=DEPENDS)


def _no_sentence(folder: Reviewed) -> None:
    for dialect in folder.dialects:
        path = folder.root / dialect / f"{HEAD}.sql"
        path.write_text(path.read_text().partition("\n")[2])


def _no_depends(folder: Reviewed) -> None:
    folder.add(NEXT, "SELECT 1;\n", "SELECT 1;\n")


@pytest.mark.parametrize(
    ("rule", "spoil", "count"),
    [
        ("unexpected-file", _stray, 1),
        ("missing-pair", _no_rollback, 1),
        ("missing-pair", _no_apply, 1),
        ("missing-dialect", _one_dialect, 1),
        ("dialects-differ", _other_version, 1),
        ("name-grammar", _bad_name, 2),
        ("header-sentence", _no_sentence, 2),
        ("missing-depends", _no_depends, 2),
    ],
)
def test_a_rule_about_files(tmp_path: Path, rule: str, spoil: Callable[[Reviewed], None], count: int) -> None:
    folder = reviewed(tmp_path / "sql")
    assert folder.findings() == []
    spoil(folder)
    assert [one["rule"] for one in folder.findings() if one["rule"] == rule] == [rule] * count


def test_a_migration_of_one_dialect_on_purpose_is_not_missing_in_the_other(tmp_path: Path) -> None:
    folder = reviewed(tmp_path / "sql")
    own = Reviewed(folder.root, ("postgres",))
    own.add(NEXT, KIND, NO_KIND, header=f"{DEPENDS}-- dialects: postgres\n")
    folder.add(LAST, "SELECT 1;\n", "SELECT 1;\n", header=f"-- depends: {HEAD}\n")
    assert folder.findings() == []
    Reviewed(folder.root, ("sqlite",)).add(NEXT, KIND, NO_KIND, header=DEPENDS)
    assert folder.rules() == {"missing-dialect"}


def test_an_index_that_a_later_migration_adds_counts(tmp_path: Path) -> None:
    folder = reviewed(tmp_path / "sql")
    table = "CREATE TABLE tags (id INTEGER NOT NULL PRIMARY KEY, note INTEGER REFERENCES notes (id));\n"
    folder.add(NEXT, table, "DROP TABLE tags;\n", header=DEPENDS)
    assert folder.rules() == {"foreign-key-index"}
    folder.add(LAST, "CREATE INDEX a ON tags (note);\n", "DROP INDEX a;\n", header=f"-- depends: {NEXT}\n")
    assert folder.findings() == []


def test_a_rebuilt_table_goes_there_and_back_without_a_finding(tmp_path: Path) -> None:
    folder = reviewed(tmp_path / "sql", "sqlite")
    rebuild = (
        "CREATE TABLE notes_new (id INTEGER NOT NULL PRIMARY KEY, body TEXT{0});\n"
        "INSERT INTO notes_new (id, body) SELECT id, body FROM notes;\n"
        "DROP TABLE notes;\nALTER TABLE notes_new RENAME TO notes;\nCREATE INDEX notes_body ON notes (body);\n"
    )
    back = rebuild.replace("CREATE INDEX notes_body ON notes (body);\n", "").format("")
    folder.add(NEXT, rebuild.format(", kind TEXT"), back, header=DEPENDS)
    assert folder.findings() == []


def test_a_rebuild_that_forgets_an_index_is_found(tmp_path: Path) -> None:
    folder = reviewed(tmp_path / "sql", "sqlite")
    folder.add(NEXT, "CREATE INDEX notes_body ON notes (body);\n", "DROP INDEX notes_body;\n", header=DEPENDS)
    back = (
        "CREATE TABLE old (id INTEGER NOT NULL PRIMARY KEY, body TEXT);\nINSERT INTO old SELECT id, body FROM notes;\n"
        "DROP TABLE notes;\nALTER TABLE old RENAME TO notes;\n"
    )
    folder.add(LAST, KIND, back, header=f"-- depends: {NEXT}\n")
    (found,) = folder.findings()
    assert (found["rule"], "the index notes_body again" in found["message"]) == ("rollback-incomplete", True)


def test_what_a_do_block_does_is_not_guessed(tmp_path: Path) -> None:
    folder = reviewed(tmp_path / "sql", "postgres")
    block = "DO $$ BEGIN EXECUTE 'CREATE TABLE tags (id int)'; END $$;\n"
    folder.add(NEXT, block, "DROP TABLE tags;\n", header=DEPENDS)
    assert folder.findings() == []


def test_a_constraint_goes_with_its_column(tmp_path: Path) -> None:
    folder = reviewed(tmp_path / "sql", "postgres")
    made = KIND + "ALTER TABLE notes ADD CONSTRAINT one_kind UNIQUE (kind);\n"
    folder.add(NEXT, made, NO_KIND, header=DEPENDS)
    assert folder.findings() == []
    folder.add(NEXT, made, "ALTER TABLE notes RENAME COLUMN kind TO sort;\n", header=DEPENDS)
    assert "leaves the constraint notes.one_kind" in folder.lint().stdout


def test_what_cascade_takes_along_is_not_guessed(tmp_path: Path) -> None:
    folder = reviewed(tmp_path / "sql", "postgres")
    made = "CREATE TABLE tags (id INTEGER NOT NULL PRIMARY KEY);\nCREATE VIEW words AS SELECT id FROM tags;\n"
    folder.add(NEXT, made, "DROP TABLE tags CASCADE;\n", header=DEPENDS)
    assert folder.findings() == []


def test_a_block_that_only_writes_rows_hides_nothing(tmp_path: Path) -> None:
    folder = reviewed(tmp_path / "sql", "postgres")
    block = "DO $$ BEGIN UPDATE notes SET body = 'x' WHERE body IS NULL; END $$;\n"
    folder.add(NEXT, block + KIND, "SELECT 1;\n", header=DEPENDS)
    assert folder.rules() == {"rollback-incomplete"}


def test_what_goes_with_its_table_needs_no_word_of_its_own(tmp_path: Path) -> None:
    folder = reviewed(tmp_path / "sql")
    made = "CREATE TABLE tags (id INTEGER NOT NULL PRIMARY KEY);\nCREATE INDEX tags_id ON tags (id);\n"
    folder.add(NEXT, made, "SELECT 1;\n", header=DEPENDS)
    assert [one["message"] for one in folder.findings()] == ["leaves the table tags, which its migration made"] * 2


def test_every_rule_is_tested_here() -> None:
    of_git = {"edited-migration", "behind-main"}  # tests/test_lint_since.py
    tested = {pair.rule for pair in PAIRS} | {
        *("unexpected-file", "missing-pair", "missing-dialect", "dialects-differ", "name-grammar", "header-sentence"),
        "missing-depends",
    }
    assert {rule.name for rule in rules()} == tested | of_git
