"""``docs/reliability.md`` says what the tests show: its rows are the tests' names, its sentences their docstrings.

A test named ``test_a07_...`` (or ``test_a10_a11_...``) is a test of the fault A7 (of A10 and A11).
``MAXWELL_WRITE_DOCS=1`` writes the page's tables anew.
"""

from __future__ import annotations

import ast
import os
import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.support.tool import ROOT

PAGE = ROOT / "docs" / "reliability.md"
TABLE = re.compile(r"(?<=<!-- rows: )(\w)( -->\n\n).*?(?=\n\n|\Z)", re.DOTALL)
NAME = re.compile(r"test_((?:[a-e]\d\d_)+)")

BOTH, LITE, PG = "both", "SQLite", "PostgreSQL"

#: The faults, and where they can happen.
FAULTS = {
    "A1": (BOTH, "kill -9 between a migration and its record"),
    "A2": (BOTH, "kill -9 between yoyo's log and yoyo's mark"),
    "A3": (BOTH, "kill -9 between a rollback and its record"),
    "A4": (BOTH, "kill -9 while the lock is held"),
    "A5": (BOTH, "looking while a lock is held, or left by a dead run"),
    "A6": (BOTH, "several runs at once on a new database"),
    "A7": (BOTH, "a second run during a long migration"),
    "A8": (BOTH, "breaking the lock of a live run"),
    "A9": (BOTH, "what is pending is listed before the lock is had"),
    "A10": (BOTH, "Ctrl-C in a long statement"),
    "A11": (BOTH, "SIGTERM or SIGHUP in a long statement"),
    "A12": (PG, "the run is killed, and its statement goes on in the server"),
    "A13": (PG, "an idle second connection is cut while the migration commits"),
    "A14": (PG, "the migration's connection is cut"),
    "A15": (PG, "the server is stopped with `-m immediate`, or crashes"),
    "A16": (LITE, "the disk is full, or a file reaches its size limit"),
    "A17": (BOTH, "the uid has no name"),
    "A18": (PG, "ALTER TABLE behind a long reader; a statement that never ends"),
    "A19": (PG, "CREATE INDEX CONCURRENTLY failed and left an invalid index"),
    "A20": (PG, "CREATE INDEX CONCURRENTLY while a second run waits"),
    "B1": (BOTH, "an applied file was edited"),
    "B2": (BOTH, "an applied file is missing"),
    "B3": (BOTH, "an applied file was renamed"),
    "B4": (BOTH, "a late file sorts before applied ones"),
    "B5": (BOTH, "no rollback file"),
    "B6": (BOTH, "a rollback undoes only a part"),
    "B7": (BOTH, "a rollback file without its migration"),
    "B8": (BOTH, "an empty file, or comments alone"),
    "B9": (BOTH, "`.SQL`, `.sql.bak`, a folder among the files"),
    "B10": (BOTH, "a byte order mark"),
    "B11": (BOTH, "a directive where it would be lost"),
    "B12": (BOTH, "CRLF, also inside a literal"),
    "B13": (BOTH, "Latin-1, UTF-16"),
    "B14": (BOTH, "a UTF-8 file under an ASCII locale"),
    "B15": (BOTH, "a NUL byte"),
    "B16": (BOTH, "the same id twice"),
    "B17": (BOTH, "a cycle of dependencies"),
    "B18": (BOTH, "a dependency that is not there"),
    "B19": (BOTH, "a migration in the middle fails"),
    "B20": (BOTH, "a target without `-- depends:` lines"),
    "B21": (BOTH, "`10_a` sorts before `2_b`"),
    "B22": (BOTH, "the folder is missing, empty, or has glob characters in its name"),
    "B23": (BOTH, "two dialects' folders in one process"),
    "B24": (BOTH, "a directive with a bad value"),
    "B25": (BOTH, "a check after the migration fails"),
    "B26": (BOTH, "`--force` over an error"),
    "B27": (BOTH, "Python, links, or files that everybody can change, in the folder"),
    "C1": (BOTH, "texts that splitters take apart in the wrong place"),
    "C2": (PG, "`COPY FROM stdin`, `\\set`, `:name`"),
    "C3": (BOTH, "BEGIN, COMMIT or ROLLBACK in a file"),
    "C4": (BOTH, "a statement in the middle of a file fails"),
    "C5": (BOTH, "a statement outside a transaction fails"),
    "C6": (BOTH, "an automatic undo that deletes other migrations' rows"),
    "C7": (BOTH, "`%` and `:name` in files and checks"),
    "C8": (LITE, "PRAGMA foreign_keys in a file; orphans"),
    "C9": (LITE, "a table rebuild with foreign keys on empties the child tables"),
    "C10": (LITE, "RENAME TO takes references and views along"),
    "C11": (LITE, "DROP COLUMN under a trigger or a view"),
    "C12": (LITE, "what ALTER TABLE cannot do"),
    "C13": (BOTH, "SELECT in a migration"),
    "C14": (LITE, "ATTACH in a migration"),
    "D1": (LITE, "backup of a write-ahead-log database with rows not yet checkpointed"),
    "D2": (BOTH, "backup of a database that is being written to"),
    "D3": (LITE, "restore beside a stale `-wal`"),
    "D4": (LITE, "restore beside a hot `-journal`"),
    "D5": (BOTH, "restore under an application that has the database open"),
    "D6": (BOTH, "a torn backup, or one with a flipped bit"),
    "D7": (BOTH, "modes of backups and their folder"),
    "D8": (BOTH, "a backup's name is a link"),
    "D9": (BOTH, "two backups in one second"),
    "D10": (BOTH, "a typo in the path; an empty file in the database's place"),
    "D11": (BOTH, "restore, then a stamp by hand"),
    "D12": (PG, "a dump is a program"),
    "E1": (LITE, "`?`, `#`, `%` and other odd characters in a path"),
    "E2": (LITE, "`sqlite:`, `sqlite://x.db` and other half URLs"),
    "E3": (LITE, "the database's folder is missing; a folder as the file"),
    "E4": (LITE, "the file is no database, or is damaged"),
    "E5": (LITE, "the file may only be read"),
    "E6": (PG, "wrong password, server down, no such database, no such role"),
    "E7": (BOTH, "a URL that cannot be read, with a password in it"),
    "E8": (PG, "a password on the command line"),
    "E9": (PG, "a question that shows the URL"),
    "E10": (PG, "`?schema=` with SQL in it, or an odd name"),
    "E11": (PG, "a `search_path` that is set elsewhere"),
    "E12": (PG, "a role without CREATE"),
    "E13": (PG, "`sslmode=require` without TLS; an unknown option"),
}

#: What tests show that have no docstring, or one about something else.
SENTENCES = {
    "test_a01_a02_a03_killed_at_any_point_it_is_before_or_after_and_the_next_run_goes_on": (
        "Migration, log, mark and ledger are one transaction: killed anywhere, the database is before or after it, "
        "and the same command, run again, ends right."
    ),
    "test_a04_the_lock_dies_with_a_killed_run_and_the_next_one_just_works": (
        "The lock dies with its process; the next run just works."
    ),
    "test_a07_the_second_run_waits_names_the_holder_and_then_has_nothing_to_do": (
        "The second run waits, names pid, user, host and since when, and finds nothing to do; "
        "after --lock-wait it ends with exit 5."
    ),
    "test_a17_a_uid_that_the_system_does_not_know_can_apply": "The uid stands for the name; nothing fails.",
    "test_a19_an_index_that_could_not_be_built_is_not_left_behind": (
        "The invalid index is dropped, the migration stays pending, and IF NOT EXISTS does not take it for done."
    ),
    "test_b01_an_applied_file_was_edited": (
        "Refused by apply with exit 6, the file and the first line that differs named; "
        "a change in comments alone is cosmetic."
    ),
    "test_b02_an_applied_file_is_gone": (
        "Refused by apply with exit 6; rollback takes it back by the text that is stored in the database."
    ),
    "test_b03_an_applied_file_was_renamed": "Found by its checksum, and refused with exit 6; both names are given.",
    "test_b04_a_late_file_sorts_before_an_applied_one": "Refused with exit 6, unless --allow-out-of-order is given.",
    "test_b05_the_rollback_file_is_missing": "Refused with exit 2, unless the header says why it is irreversible.",
    "test_b06_a_rollback_that_undoes_a_part_shows_at_the_next_apply": (
        "What the rollback left fails the next apply whole, and is named."
    ),
    "test_b07_a_rollback_without_its_migration": "Refused with exit 2.",
    "test_b08_a_file_with_nothing_to_run": "Refused with exit 2.",
    "test_b09_a_name_that_yoyo_passes_over": "Refused with exit 2: nothing in the folder is passed over.",
    "test_b10_byte_order_mark": "Refused with exit 2, and named.",
    "test_b11_a_directive_that_would_be_lost": "Refused with exit 2, with file and line.",
    "test_b12_carriage_return": "Refused with exit 2, with file and line.",
    "test_b13_another_encoding": "Refused with exit 2, with file, line and byte.",
    "test_b14_utf8_under_an_ascii_locale": "Read as UTF-8 under every locale.",
    "test_b15_nul_byte": "Refused with exit 2, with file and line.",
    "test_b16_one_id_in_two_places": "Refused with exit 2.",
    "test_b17_a_cycle_of_dependencies": "Refused with exit 2; the cycle is named.",
    "test_b18_a_dependency_that_is_not_there": "Refused with exit 2 before the first statement.",
    "test_b19_a_migration_that_fails_stops_the_run": "The first failure stops the run; nothing after it is applied.",
    "test_b20_a_target_means_all_before_it": "A target means everything up to it, in apply, rollback and stamp.",
    "test_b21_names_that_do_not_sort_as_their_numbers": "Refused with exit 2.",
    "test_b22_the_folder_is_missing": "A missing or empty folder is refused with exit 2; a name is never a pattern.",
    "test_b23_two_dialects_in_one_process": "Each folder keeps its own order.",
    "test_b24_a_directive_with_a_bad_value": "Refused with exit 2, with file and line.",
    "test_b25_a_check_that_fails_in_the_gate_takes_the_migration_back": (
        "With --gate it is rolled back before the commit; without, exit 4 and the command that takes it back."
    ),
    "test_b26_there_is_no_force": "There is no such option.",
    "test_b27_python_is_not_executed": "Refused with exit 2; nothing of it is executed or followed.",
    "test_c04_the_error_on_the_terminal_has_file_line_statement_message_and_what_stays": (
        "Rolled back, exit 1; file, line, statement, the database's words, and what stays."
    ),
    "test_c09_a_table_rebuild_keeps_the_child_rows": "Foreign keys are off while a file runs; the rows are kept.",
    "test_e01_the_file_asked_for_is_the_file_made": "The file asked for is the file made, and no other.",
    "test_e02_a_url_without_a_file": "Refused with exit 2; no file is made.",
    "test_e03_the_folder_is_missing": "Refused with exit 2; the folder is named, and none is made.",
    "test_e04_a_file_that_is_no_database": "One line at once, and the file is not touched.",
    "test_e06_the_password_is_wrong": "One line with the server's own words, exit 1; no password is shown.",
    "test_e07_nothing_of_a_password_is_said": "No part of a URL that cannot be read is ever shown.",
    "test_e08_a_password_on_the_command_line_is_warned_of": "A warning names the better places for it.",
    "test_e09_the_question_shows_no_password": "The question names the database, without a password.",
    "test_e10_a_schema_that_is_not_there": "The name is quoted and has to exist: else exit 2, and nothing runs.",
    "test_e11_the_search_path_of_the_database": (
        "With ?schema= that schema and no other; without it the server's search_path, as plain yoyo has it. "
        "What a file sets, ends with the file."
    ),
    "test_e12_a_role_that_may_not_create": "The server's own words at once; looking needs no more than SELECT.",
    "test_e13_a_server_without_tls": "Refused at once with libpq's own words; options are passed on to it.",
}


@dataclass(frozen=True)
class RowTest:
    """A test of one or more rows of the matrix."""

    name: str
    rows: tuple[str, ...]
    sentence: str | None  # its docstring's first line
    source: str
    parameters: frozenset[str]

    @property
    def dialects(self) -> set[str]:
        """Those that it can be seen to run on."""
        found = set()
        if self.parameters & {"database", "dialect", "arena", "filled"}:
            found = {LITE, PG}
        if self.parameters & {"pg", "base", "pg_base", "pg_url", "crashing"} or "postgres" in self.source:
            found.add(PG)
        if self.parameters & {"lite", "place"} or "sqlite" in self.source:
            found.add(LITE)
        return found


def row_tests() -> Iterator[RowTest]:
    for path in sorted((ROOT / "tests").glob("test_*.py"), key=lambda path: ("faults" not in path.name, path.name)):
        text = path.read_text()
        lines = text.splitlines()
        for node in ast.parse(text).body:
            if isinstance(node, ast.FunctionDef) and (match := NAME.match(node.name)):
                first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
                docstring = ast.get_docstring(node)
                yield RowTest(
                    node.name,
                    tuple(f"{id[0].upper()}{int(id[1:])}" for id in match[1].rstrip("_").split("_")),
                    docstring.splitlines()[0] if docstring else None,
                    "\n".join(lines[first - 1 : node.end_lineno]),
                    frozenset(argument.arg for argument in node.args.args),
                )


TESTS = list(row_tests())
BY_ROW: dict[str, list[RowTest]] = defaultdict(list)
for _test in TESTS:
    for _row in _test.rows:
        BY_ROW[_row].append(_test)


def said_by(test: RowTest) -> str | None:
    """What the page says of a test."""
    return SENTENCES.get(test.name, test.sentence)


def table(letter: str) -> str:
    """The rows of a letter as the page has them."""
    lines = ["| row | fault | what maxwell-db does | on |", "|---|---|---|---|"]
    for row, (dialects, fault) in FAULTS.items():
        if row[0] == letter:
            said = dict.fromkeys(filter(None, map(said_by, BY_ROW.get(row, []))))
            lines.append(f"| {row} | {fault} | {' '.join(said)} | {dialects} |")
    return "\n".join(lines)


def test_every_row_has_a_test_and_every_test_a_row() -> None:
    assert sorted(BY_ROW) == sorted(FAULTS)


def test_every_row_says_what_is_done() -> None:
    assert SENTENCES.keys() <= {test.name for test in TESTS}, "a sentence of a test that is not there"
    assert [row for row, tests in BY_ROW.items() if not any(map(said_by, tests))] == []


@pytest.mark.parametrize("row", FAULTS)
def test_a_row_is_tested_where_it_can_happen(row: str) -> None:
    wanted = {LITE, PG} if FAULTS[row][0] == BOTH else {FAULTS[row][0]}
    assert wanted <= set().union(*(test.dialects for test in BY_ROW[row]))


def test_the_page_has_the_rows_as_the_tests_have_them() -> None:
    """``MAXWELL_WRITE_DOCS=1`` writes them."""
    page = PAGE.read_text()
    written = TABLE.sub(lambda match: f"{match[1]}{match[2]}{table(match[1])}", page)
    if os.environ.get("MAXWELL_WRITE_DOCS"):
        PAGE.write_text(written)
        page = written
    for letter in "ABCDE":
        assert f"<!-- rows: {letter} -->\n\n{table(letter)}\n" in page, f"table {letter}: set MAXWELL_WRITE_DOCS=1"
    rows = re.findall(r"^\| ([A-Z]\d+) \|", page, re.MULTILINE)
    assert rows == list(FAULTS), "a row without a test, or twice"
