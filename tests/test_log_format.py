"""``--log-format json``: each line on stderr is one JSON object, of progress and of errors, whatever stdout has."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.support.databases import Database
from tests.support.deploying import Site
from tests.support.deploying import site as make_site
from tests.support.migrations import BOOK, PRICE
from tests.support.tool import Result, maxwell_db


@pytest.fixture
def site(database: Database, tmp_path: Path) -> Site:
    return make_site(database, tmp_path)


def events(result: Result) -> list[dict[str, Any]]:
    """Each line is an object with a time, a level and words."""
    found = []
    for line in result.stderr.splitlines():
        event = json.loads(line)
        assert list(event)[:3] == ["time", "level", "message"] and event["message"]
        assert event["level"] in ("info", "warning", "error")
        at = datetime.fromisoformat(event["time"])
        assert abs((datetime.now(UTC) - at).total_seconds()) < 60
        found.append(event)
    return found


def test_a_deploy_in_json_lines(site: Site) -> None:
    result = site.run("deploy", "--rehearse", "--log-format", "json")
    found = events(result)
    warning = found[0]
    assert warning["level"] == "warning" and "(header-sentence)" in warning["message"]
    assert any(event["message"].startswith("backing up to ") for event in found)
    begins = next(event for event in found if event["message"] == "apply begins")
    assert (begins["id"], begins["number"], begins["total"]) == (PRICE, 1, 1)
    committed = next(event for event in found if event["message"] == "apply committed")
    assert committed["id"] == PRICE and committed["duration_ms"] >= 0
    assert "1 migration applied" in result.stdout  # the answer is another matter


@pytest.mark.parametrize("as_json", [False, True])
def test_a_failure_in_json_lines(site: Site, as_json: bool) -> None:
    path = site.folder.add("004_broken", "INSERT INTO author (id, nowhere)\nVALUES (4, 'x');\n")
    result = site.run("--log-format=json", *(["--json"] if as_json else []), "deploy", expect=1)
    last = events(result)[-1]
    assert (last["level"], last["exit_code"], last["code"]) == ("error", 1, "STATEMENT_FAILED")
    assert (last["file"], last["line"]) == (str(path), 3) and last["hint"]
    assert (json.loads(result.stdout)["error"]["code"] if as_json else result.stdout) == (
        "STATEMENT_FAILED" if as_json else ""
    )


@pytest.mark.parametrize(
    "arguments",
    [
        ("--log-format", "json", "nonsense"),
        ("--log-format", "json", "deploy", "--nonsense"),
        ("deploy", "--nonsense", "--log-format", "json"),
        ("deploy", "--nonsense", "--log-format=json"),
        ("--log-format", "json", "deploy", "nowhere"),
        ("--log-format", "json", "restore", "nowhere", "--yes"),
        ("--log-format", "json", "rollback", "base"),
        ("--log-format", "json", "status", "--config", "nowhere.ini"),
    ],
    ids=" ".join,
)
def test_each_error_is_one_line(site: Site, arguments: tuple[str, ...]) -> None:
    result = maxwell_db(*arguments, database=site.database, sql=site.folder.path, cwd=site.home)
    (event,) = events(result)
    assert event["level"] == "error" and event["exit_code"] == result.exit_code > 0 and result.stdout == ""


def test_a_warning_is_a_line_too(tmp_path: Path) -> None:
    result = maxwell_db("--log-format", "json", "status", database="postgresql://u:hunter2@127.0.0.1:1/d", cwd=tmp_path)
    warning, error = events(result)
    assert (warning["level"], error["level"]) == ("warning", "error") and "hunter2" not in result.stderr


def test_by_file_and_by_variable(site: Site) -> None:
    assert events(site.run("apply", env={"MAXWELL_DB_LOG_FORMAT": "json"}))[-1]["message"] == "verifying"
    (site.home / "yoyo.ini").write_text("[maxwell-db]\nlog-format = json\n")
    assert events(site.run("rollback", BOOK, "--yes"))[-1]["message"] == "verifying"
    (site.home / "yoyo.ini").write_text("[maxwell-db]\nlog-format = xml\n")
    assert "xml" in site.run("apply", expect=2).stderr


def test_quiet_says_nothing_and_still_tells_of_a_failure(site: Site) -> None:
    assert site.run("-q", "--log-format", "json", "deploy").stderr == ""
    (event,) = events(site.run("-q", "--log-format", "json", "deploy", "nowhere", expect=2))
    assert event["level"] == "error"
