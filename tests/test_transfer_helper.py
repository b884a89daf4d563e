"""The copy and the look at every value, side by side: whoever looks, the result is the same, or nothing happens."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest

from runner.operations import transfer as operation
from runner.transfer import helper as helpers
from tests.support.databases import Database
from tests.support.folders import footprint
from tests.support.tool import clean_environment
from tests.support.transfers import Pair, make_pair

MakeDatabase = Callable[[str], Database]
MANY = "WITH RECURSIVE n(i) AS (SELECT 10 UNION ALL SELECT i + 1 FROM n WHERE i < {})"


@pytest.fixture
def pair(tmp_path: Path) -> Pair:
    """A few thousand rows with a value of every sort, and what COPY writes otherwise."""
    pair = make_pair(tmp_path)
    pair.run(
        "INSERT INTO place VALUES ('p', 'Harbour')",
        MANY.format(9000)
        + " INSERT INTO thing SELECT 'n' || i, i, 'n', CASE i % 3 WHEN 0 THEN NULL WHEN 1 THEN 'é' ELSE"
        " '' END, '2024-02-29 10:00:00', i % 2, i / 7.0, 'p', NULL FROM n",
        "INSERT INTO thing (id, name, body) VALUES ('odd', 'a\tb', 'c\\d' || char(10, 11, 12, 13, 8) || '\\N')",
        "INSERT INTO thing (id, name, body) VALUES ('N', '\\N', '')",
        "INSERT INTO thing (id, at, size) VALUES ('day', '2024-02-29', -0.0), ('T', '2024-02-29T10:00:00.5', 9e999)",
    )
    return pair


@pytest.fixture
def helped(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have a helper, however small the source."""
    monkeypatch.setattr(helpers, "WORTH_BYTES", 0)
    monkeypatch.setattr(helpers, "_cores", lambda: 2)


def test_with_a_helper_without_and_when_compared_later_the_checksums_are_the_same(
    pair: Pair, make_database: MakeDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone, beside = make_database("postgres"), make_database("postgres")
    sums = pair.answer(alone)["tables"]
    monkeypatch.setattr(helpers, "WORTH_BYTES", 0)
    monkeypatch.setattr(helpers, "_cores", lambda: 2)
    looked = []
    look = helpers.Helper.look
    monkeypatch.setattr(helpers.Helper, "look", lambda self, plans: (looked.append(1), look(self, plans))[1])
    assert pair.answer(beside)["tables"] == sums and looked
    # Every row in another place of the file: the order is no part of it.
    beside.script("UPDATE thing SET number = number WHERE number % 5 = 0; UPDATE thing SET name = name WHERE id < 'n5'")
    assert pair.answer(beside, "--verify-only")["tables"] == sums
    assert alone.query("SELECT * FROM thing ORDER BY id") == beside.query("SELECT * FROM thing ORDER BY id")


@pytest.mark.usefixtures("helped")
def test_values_that_do_not_fit_at_the_end_of_the_last_table_are_all_told_and_nothing_is_written(
    pair: Pair, make_database: MakeDatabase
) -> None:
    target = make_database("postgres")
    before = footprint(target)
    pair.run(
        "INSERT INTO thing (id, at) VALUES ('x', 'infinity'), ('y', 'infinity')",
        "INSERT INTO thing (id, body) VALUES ('z', x'41')",
        "INSERT INTO place VALUES ('q', 'no more than twenty chars')",
    )
    answer = pair.answer(target, expect=9)
    assert answer["error"]["code"] == "DATA_MISFIT" and answer["tables"] == {}
    assert {(one["kind"], one["table"], one["column"]): one["count"] for one in answer["findings"]} == {
        ("bad-date", "thing", "at"): 2,
        ("blob-in-text", "thing", "body"): 1,
        ("too-long", "place", "name"): 1,
    }
    assert footprint(target) == before


@pytest.mark.usefixtures("helped")
def test_what_postgres_refuses_last_of_all_is_told_as_a_finding_like_any_other(
    pair: Pair, make_database: MakeDatabase
) -> None:
    target = make_database("postgres")
    before = footprint(target)
    pair.run("INSERT INTO thing (id, place_id) VALUES ('x', 'nowhere')", "INSERT INTO thing (id) VALUES (NULL)")
    answer = pair.answer(target, expect=9)
    assert {(one["kind"], one["column"]): one["sample"][0]["key"] for one in answer["findings"]} == {
        ("null-in-not-null", "id"): answer["findings"][0]["sample"][0]["key"],
        ("orphan", "place_id"): "x",
    }
    assert footprint(target) == before


def test_a_foreign_key_that_the_server_does_not_check_is_checked_all_the_same(
    tmp_path: Path, make_database: MakeDatabase
) -> None:
    columns = "id INTEGER PRIMARY KEY, up INTEGER"
    pair = make_pair(
        tmp_path,
        f"CREATE TABLE t ({columns} REFERENCES t (id));\n",
        f"CREATE TABLE t ({columns});\nALTER TABLE t ADD CONSTRAINT k FOREIGN KEY (up) REFERENCES t (id) NOT VALID;\n",
    )
    pair.run("INSERT INTO t VALUES (1, 7)")
    (finding,) = pair.answer(make_database("postgres"), expect=9)["findings"]
    assert (finding["kind"], finding["column"]) == ("orphan", "up")


def test_a_key_that_waits_for_the_commit_is_checked_before_it(tmp_path: Path, make_database: MakeDatabase) -> None:
    """It stays in place, with its comment."""
    columns = "id INTEGER PRIMARY KEY, up INTEGER"
    pair = make_pair(
        tmp_path,
        f"CREATE TABLE t ({columns} REFERENCES t (id));\n",
        f"CREATE TABLE t ({columns});\nALTER TABLE t ADD CONSTRAINT k FOREIGN KEY (up) REFERENCES t (id)\n"
        "    DEFERRABLE INITIALLY DEFERRED;\nCOMMENT ON CONSTRAINT k ON t IS 'why';\n",
    )
    pair.run("INSERT INTO t VALUES (1, 7)")
    (finding,) = pair.answer(make_database("postgres"), expect=9)["findings"]
    assert (finding["kind"], finding["column"]) == ("orphan", "up")


def test_the_server_s_own_proof_of_a_foreign_key_is_not_repeated_and_said(
    pair: Pair, make_database: MakeDatabase
) -> None:
    checks = {one["name"]: one for one in pair.answer(make_database("postgres"))["verify"]["checks"]}
    one = checks["orphan:thing(place_id)->place"]
    assert (one["status"], one["reason"]) == ("passed", "the server has just validated this foreign key")
    assert "reason" not in checks["key:thing"]


@pytest.mark.usefixtures("helped")
@pytest.mark.parametrize("when", ["begin", "look"])
def test_a_helper_that_is_killed_is_done_without(
    pair: Pair, make_database: MakeDatabase, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    step = getattr(helpers.Helper, when)

    def killed(helper: Any, *arguments: Any) -> Any:
        helper._process.kill()
        return step(helper, *arguments)

    monkeypatch.setattr(helpers.Helper, when, killed)
    target = make_database("postgres")
    assert pair.answer(target)["rows"] == 8996 and target.value("SELECT count(*) FROM thing") == 8995


@pytest.mark.usefixtures("helped")
def test_a_commit_between_the_two_snapshots_is_seen_and_both_begin_again(
    pair: Pair, make_database: MakeDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    pair.run("PRAGMA journal_mode = WAL")
    begin, begun = helpers.Helper.begin, []

    def beside_a_writer(helper: Any) -> bool:
        if len(begun) < 2:
            pair.run(f"INSERT INTO thing (id) VALUES ('late {len(begun)}')")
        begun.append(1)
        return begin(helper)

    monkeypatch.setattr(helpers.Helper, "begin", beside_a_writer)
    target = make_database("postgres")
    pair.answer(target)
    assert len(begun) == 3 and target.value("SELECT count(*) FROM thing WHERE id LIKE 'late%'") == 2


@pytest.mark.usefixtures("helped")
def test_a_source_that_never_rests_is_read_without_a_helper(
    pair: Pair, make_database: MakeDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    pair.run("PRAGMA journal_mode = WAL")
    begin = helpers.Helper.begin

    def beside_a_writer(helper: Any) -> bool:
        pair.run("INSERT INTO thing (id) VALUES (hex(randomblob(8)))")
        return begin(helper)

    monkeypatch.setattr(helpers.Helper, "begin", beside_a_writer)
    monkeypatch.setattr(helpers.Helper, "look", lambda *_: pytest.fail("a snapshot of another moment"))
    target = make_database("postgres")
    pair.answer(target)
    with closing(sqlite3.connect(pair.source)) as source:
        ((rows,),) = source.execute("SELECT count(*) FROM thing").fetchall()
    assert target.value("SELECT count(*) FROM thing") == rows


def test_rows_that_come_back_in_another_order_are_proven_by_their_sums(
    pair: Pair, make_database: MakeDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        operation.proof, "read_streams", lambda connection, plans, *_: dict.fromkeys((p.name for p in plans), "")
    )
    target = make_database("postgres")
    assert pair.answer(target)["changed"] is True and target.value("SELECT count(*) FROM thing") == 8995


def test_the_helper_goes_when_its_run_is_killed(pair: Pair, make_database: MakeDatabase, tmp_path: Path) -> None:
    program = (
        "import sys; from runner.transfer import helper; from runner.cli import main;"
        " helper.WORTH_BYTES = 0; helper._cores = lambda: 2; sys.exit(main(sys.argv[1:]))"
    )
    pair.run(MANY.format(300000) + " INSERT INTO thing (id) SELECT 'm' || i FROM n")
    target = make_database("postgres")
    process = subprocess.Popen(
        [
            *(sys.executable, "-c", program, "transfer", "--quiet", "--sql", str(pair.root)),
            *("--from", f"sqlite:///{pair.source}", "--to", target.url),
        ],
        cwd=tmp_path,
        env=clean_environment(None),
        stderr=subprocess.DEVNULL,
    )
    while not (found := children(process.pid)) and process.poll() is None:
        time.sleep(0.01)
    time.sleep(0.3)  # by now it reads
    process.send_signal(signal.SIGKILL)
    process.wait()
    deadline = time.monotonic() + 5
    assert found
    while any(map(is_running, found)):
        assert time.monotonic() < deadline, "the helper lives on"
        time.sleep(0.02)


def children(process: int) -> list[str]:
    tasks = Path(f"/proc/{process}/task").glob("*/children")
    return [child for task in tasks for child in task.read_text().split()]


def is_running(process: str) -> bool:
    with suppress(OSError):
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False
