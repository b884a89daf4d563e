"""``--metrics``: a text file that Prometheus reads, right after each end, whole at any time."""

from __future__ import annotations

import os
import stat
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.support.databases import Database, sqlite_database
from tests.support.deploying import Site, add_flag
from tests.support.deploying import site as make_site
from tests.support.folders import footprint
from tests.support.tool import maxwell_db

Metrics = dict[str, dict[tuple[tuple[str, str], ...], float]]


@pytest.fixture
def site(database: Database, tmp_path: Path) -> Site:
    return make_site(database, tmp_path)


@pytest.fixture
def lite(make_database: Callable[[str], Database], tmp_path: Path) -> Site:
    return make_site(make_database("sqlite"), tmp_path)


def parsed(text: str) -> dict[str, list[tuple[dict[str, str], float]]]:
    """What Prometheus' own reader makes of it; every family is a gauge with help, and named once."""
    found: dict[str, list[tuple[dict[str, str], float]]] = {}
    for family in text_string_to_metric_families(text):
        assert family.type == "gauge" and family.documentation and family.name not in found
        assert family.name.startswith("maxwell_db_")
        found[family.name.removeprefix("maxwell_db_")] = [(one.labels, one.value) for one in family.samples]
    assert found and text.endswith("\n")
    return found


def metrics(site: Site, *arguments: str, expect: int = 0) -> dict[str, Any]:
    """Deploy, and read the file: the value where a metric has one sample, else the values by their own label."""
    site.deploy("--metrics", "maxwell.prom", *arguments, expect=expect)
    found: dict[str, Any] = {}
    for name, samples in parsed((site.home / "maxwell.prom").read_text()).items():
        assert all(labels["dialect"] == site.database.dialect and labels["database"] for labels, _ in samples)
        own = [
            {key: text for key, text in labels.items() if key not in ("dialect", "database")} for labels, _ in samples
        ]
        if name.endswith("info"):
            found[name] = own[0]["version"]
        elif len(samples) == 1:
            found[name] = samples[0][1]
        else:
            found[name] = {each["severity"]: value for each, (_, value) in zip(own, samples, strict=True)}
    return found


def test_what_it_says_of_a_success(site: Site) -> None:
    began = time.time()
    found = metrics(site)
    (backup,) = site.whole_backups()
    assert found["schema_version_info"] == "0.3.0"
    assert (found["applied_migrations"], found["pending_migrations"]) == (3, 0)
    assert (found["last_run_exit_code"], found["last_run_success"], found["last_verify_success"]) == (0, 1, 1)
    assert found["violations"] == {"error": 0, "warn": 0}
    for name in ("last_run", "last_apply", "last_verify", "last_backup"):
        assert began - 1 <= found[f"{name}_timestamp_seconds"] <= time.time() + 1, name
    assert 0 < found["last_run_duration_seconds"] < 60
    assert 0 <= found["last_backup_age_seconds"] < 60
    assert (found["backups"], found["last_backup_size_bytes"]) == (1, backup.stat().st_size)
    assert found["last_backup_tested"] == 0


def test_what_it_says_when_nothing_was_to_do(site: Site) -> None:
    """The facts of the last run that did something are still there."""
    first = metrics(site, "--rehearse")
    again = metrics(site)
    assert (again["last_run_success"], again["pending_migrations"], again["last_verify_success"]) == (1, 0, 1)
    assert again["last_apply_timestamp_seconds"] == first["last_apply_timestamp_seconds"]
    assert abs(again["last_verify_timestamp_seconds"] - first["last_verify_timestamp_seconds"]) < 5
    assert (again["backups"], again["last_backup_tested"]) == (1, 1)
    assert again["last_run_timestamp_seconds"] > first["last_run_timestamp_seconds"]


def test_what_it_says_of_a_statement_that_failed(site: Site) -> None:
    site.folder.add("004_broken", "INSERT INTO author (id, nowhere) VALUES (4, 'x');\n")
    found = metrics(site, expect=1)
    assert (found["last_run_exit_code"], found["last_run_success"]) == (1, 0)
    assert (found["applied_migrations"], found["pending_migrations"]) == (2, 2)
    assert found["schema_version_info"] == "0.2.0"


@pytest.mark.parametrize("choice", ["stop", "rollback"])
def test_what_it_says_of_a_check_that_failed(site: Site, choice: str) -> None:
    checks = add_flag(site)
    found = metrics(site, "--checks", str(checks), "--on-failure", choice, expect=4)
    assert (found["last_run_exit_code"], found["last_verify_success"]) == (4, 0)
    assert found["violations"] == {"error": 1, "warn": 0}
    assert found["pending_migrations"] == (0 if choice == "stop" else 2)
    if choice == "stop":  # what is broken is not forgotten by the next run, which has nothing to do
        assert metrics(site, "--checks", str(checks))["last_verify_success"] == 0


def test_what_it_says_of_a_database_that_cannot_be_reached(tmp_path: Path) -> None:
    from tests.support.migrations import library

    folder = library(tmp_path)
    url = "postgresql://nobody@127.0.0.1:1/shop"
    result = maxwell_db("deploy", "--metrics", "m.prom", database=url, sql=folder.path, cwd=tmp_path)
    assert result.exit_code == 1
    found = parsed((tmp_path / "m.prom").read_text())
    assert found["last_run_success"] == [({"database": "shop", "dialect": "postgres", "command": "deploy"}, 0)]
    assert "pending_migrations" not in found


def test_names_are_escaped(tmp_path: Path) -> None:
    from tests.support.migrations import library

    site = Site(sqlite_database(tmp_path / 'a "b" \\ c.db'), library(tmp_path), tmp_path)
    result = maxwell_db(
        "deploy", "--metrics", "m.prom", database=str(site.database.path), sql=site.folder.path, cwd=tmp_path
    )
    assert result.exit_code == 0, result.stderr
    ((labels, _),) = parsed((tmp_path / "m.prom").read_text())["pending_migrations"]
    assert labels["database"] == 'a "b" \\ c.db'


def test_it_is_replaced_whole_and_others_may_read_it(lite: Site) -> None:
    """A reader in a loop never sees a part, and nothing is left beside the file."""
    path = lite.home / "maxwell.prom"
    mask = os.umask(0o077)
    try:
        metrics(lite)
        stop, wrong, reads = threading.Event(), [], []

        def read() -> None:
            while not stop.is_set():
                text = path.read_text()
                reads.append(len(text))
                if not text.startswith("# HELP maxwell_db_info ") or "maxwell_db_last_backup_tested{" not in text:
                    wrong.append(text)

        reader = threading.Thread(target=read)
        reader.start()
        try:
            for _ in range(30):
                metrics(lite)
        finally:
            stop.set()
            reader.join()
    finally:
        os.umask(mask)
    assert wrong == [] and len(reads) > 30
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
    assert [one.name for one in lite.home.glob("*prom*")] == ["maxwell.prom"]
    assert list(lite.home.glob(".maxwell*")) == []


def test_a_link_is_replaced_and_not_followed(lite: Site) -> None:
    victim = lite.home / "victim"
    victim.write_text("mine")
    (lite.home / "maxwell.prom").symlink_to(victim)
    metrics(lite)
    assert victim.read_text() == "mine" and not (lite.home / "maxwell.prom").is_symlink()


@pytest.mark.parametrize("where", ["nowhere/maxwell.prom", "."])
def test_what_cannot_be_written_is_refused_before_anything_is_done(lite: Site, where: str) -> None:
    before = footprint(lite.database)
    result = lite.run("--json", "deploy", "--metrics", where, expect=2)
    assert result.json()["error"]["code"] in ("METRICS_NOT_WRITTEN", "USAGE")
    assert footprint(lite.database) == before and not (lite.database.path.parent / "backups").exists()


def test_a_failure_counts_more_than_metrics_that_cannot_be_written(lite: Site) -> None:
    """The folder goes away while the deploy runs: what is told of first is the deploy's own end."""
    folder = lite.home / "collector"
    for text, expect in (("INSERT INTO author (id, nowhere) VALUES (4, 'x');\n", 1), ("SELECT 1;\n", 2)):
        folder.mkdir()
        lite.folder.add("004_more", text)
        with removed_meanwhile(folder):
            answer = lite.deploy("--metrics", "collector/maxwell.prom", expect=expect)
        assert "the metrics cannot be written to collector/maxwell.prom" in answer["error"]["message"]
        assert answer["error"]["code"] == ("STATEMENT_FAILED" if expect == 1 else "METRICS_NOT_WRITTEN")
        assert len(answer["applied"]) == (0 if expect == 1 else 2)


class removed_meanwhile:
    """A thread takes the folder away as soon as there is a backup."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.known = set(folder.parent.glob("backups/*.json"))
        self.thread = threading.Thread(target=self._work)

    def __enter__(self) -> None:
        self.thread.start()

    def __exit__(self, *exception: object) -> None:
        self.thread.join(timeout=20)

    def _work(self) -> None:
        while (
            set(self.folder.parent.glob("backups/*.partial")) == set()
            and set(self.folder.parent.glob("backups/*.json")) == self.known
        ):
            time.sleep(0.0005)
        self.folder.rmdir()
