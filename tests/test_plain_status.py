"""``status`` as it is read without click: it means the same to click, and click is not imported."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from runner.cli import group, standing
from runner.cli.plain_status import OWN, SWITCHES, WITH_VALUE, plain_status
from runner.cli.session import Session
from tests.support.databases import sqlite_database
from tests.support.tool import MAXWELL, maxwell_db
from tests.test_cli_contract import modules_of

VALUES = ("a", "status", "", "-x", "x=y", "--json")
WORDS = (
    *("status", "current", "apply", "-h", "--help", "--", "-qv", "--nonsense", "--log-format", "json", "-1"),
    *SWITCHES,
    *WITH_VALUE,
    *(f"{option}={value}" for option in (*WITH_VALUE, "--json") for value in VALUES),
    *VALUES,
)


def as_click_reads(arguments: list[str], monkeypatch: pytest.MonkeyPatch) -> tuple[dict[str, Any], dict[str, bool]]:
    session, told = Session(), dict[str, bool]()

    def show(_: Session, exit_code: bool, read_files: bool) -> int:
        told.update(exit_code=exit_code, read_files=read_files)
        return 0

    monkeypatch.setattr(standing, "show_status", show)
    assert group.call(list(arguments), session) == 0
    return session.flags, told


@given(st.lists(st.sampled_from(WORDS)) | st.lists(st.sampled_from([*SWITCHES, *WITH_VALUE, "status", "a"])))
@example(["--database", "a", "status", "--json", "--sql=x=y", "-d", "b", "--exit-code"])
def test_click_reads_the_same(arguments: list[str]) -> None:
    session = Session()
    with pytest.MonkeyPatch.context() as monkeypatch:
        # A file that is named need not be there for this.
        monkeypatch.setattr(Session, "settings", {})
        known = plain_status(arguments, session)
        if known is not None:
            assert as_click_reads(arguments, monkeypatch) == (session.flags, known)


@pytest.mark.parametrize("option", [*SWITCHES, *(f"{option}=x" for option in WITH_VALUE if option.startswith("--"))])
def test_each_option_is_read(option: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Session, "settings", {})
    assert plain_status(["status", option], Session()) is not None


def test_the_options_of_status_are_all_of_its_own() -> None:
    names = {str(item.name).replace("_", "-") for item in standing.status.params if item.expose_value}
    assert names == set(OWN)


def test_what_the_file_says_click_reads(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "yoyo.ini").write_text("[maxwell-db]\nquiet = yes\n")
    assert plain_status(["status"], Session()) is not None
    (tmp_path / "yoyo.ini").write_text("[maxwell-db]\nread-files = yes\n")
    assert plain_status(["status"], Session()) is None


@pytest.mark.parametrize("option", OWN)
def test_what_the_environment_says_click_reads(option: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"MAXWELL_DB_{option.upper().replace('-', '_')}", "1")
    assert plain_status(["status"], Session()) is None


def test_status_imports_no_click(tmp_path: Path) -> None:
    lite, sql = sqlite_database(tmp_path / "plain.db"), MAXWELL
    assert maxwell_db("apply", database=lite, sql=sql).exit_code == 0
    for arguments in (["status"], ["--json", "current", "--exit-code"]):
        assert "click" not in modules_of(*arguments, "-d", lite.url, "--sql", str(sql), cwd=tmp_path)
    assert "click" in modules_of("status", "--log-format", "json", "-d", lite.url, cwd=tmp_path)


def test_its_errors_are_those_of_all_commands(tmp_path: Path) -> None:
    for words in (["status"], ["status", "--log-format=text"]):
        done = maxwell_db("--json", *words, "--database", "oracle://x/y")
        assert done.exit_code == 2 and json.loads(done.stdout)["error"]["code"] == "BAD_URL"
