"""``docs/deploy.md``: its commands are run on both dialects, its examples are run or read by what will read them."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from tests.support.databases import Database
from tests.support.deploying import Site
from tests.support.deploying import site as make_site
from tests.support.migrations import AUTHOR, BOOK, PRICE, marks
from tests.support.tool import ROOT, maxwell_db
from tests.support.transcripts import blocks, commands, desk, follow, newest_backup

PAGE = ROOT / "docs" / "deploy.md"
EXAMPLES = ROOT / "docs" / "examples"


def test_the_page_s_transcripts_are_what_the_program_prints(tmp_path: Path, shell: dict[str, str]) -> None:
    """``MAXWELL_WRITE_DOCS=1`` writes them anew."""
    with desk(tmp_path, shell) as sitting:
        assert follow(PAGE, sitting) >= 12


def test_the_page_s_commands_do_on_postgresql_what_they_do_on_sqlite(
    tmp_path: Path, make_database: Any, pg_url: str
) -> None:
    database = make_database("postgres")
    folder = tmp_path / "maxwell"
    folder.mkdir()
    versions = []
    for block in blocks(PAGE.read_text()):
        if block.language != "console":
            continue
        for command, _ in commands(block.text):
            words = shlex.split(newest_backup(command, folder))
            result = maxwell_db(*words[1:], database=database, sql=None, cwd=folder)
            assert (words[0], result.exit_code) == ("maxwell-db", 0), f"{command}\n{result.stderr}"
        versions.append(maxwell_db("--json", "status", database=database, sql=None, cwd=folder).json()["version"])
    assert versions == ["2.0.0", "1.2.0", "2.0.0", "2.0.0", "1.2.0"]  # the newest on PostgreSQL, and the page's 1.2.0


def test_what_the_page_says_of_a_protected_database(tmp_path: Path, shell: dict[str, str]) -> None:
    with desk(tmp_path, shell) as sitting:
        for command, expect in (
            ("maxwell-db deploy", 0),
            ("maxwell-db protect", 0),
            ("maxwell-db rollback 1.2.0 --yes", 2),
            ("maxwell-db rollback 1.2.0 --confirm maxwell.db", 0),
        ):
            assert sitting.run(f"{command} >/dev/null 2>&1; echo $?") == f"{expect}\n", command


# The examples.


def settings(site: Site, **more: str) -> Path:
    path = site.home / "settings"
    values = {
        "MAXWELL_HOME": str(site.home),
        "DATABASE_URL": site.database.url,
        "MAXWELL_DB_SQL": str(site.folder.path),
        "MAXWELL_DB_BACKUP_DIR": str(site.backups),
        "MAXWELL_DB_METRICS": str(site.home / "maxwell.prom"),
    }
    path.write_text("".join(f"{name}={shlex.quote(value)}\n" for name, value in (values | more).items()))
    return path


def cron(site: Site, file: Path, env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """As cron calls it: from another folder."""
    return subprocess.run(
        [EXAMPLES / "deploy.sh", file],
        cwd="/",
        env=env,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_the_cron_script(database: Database, tmp_path: Path, shell: dict[str, str]) -> None:
    """With a migration pending it ships, reports and prunes; without one it says nothing; a failure is deploy's."""
    site = make_site(database, tmp_path)
    site.backups.mkdir(mode=0o700)
    for _ in range(2):
        site.run("backup", "--backup-dir", str(site.backups))
    file = settings(site, MAXWELL_KEEP="2")
    known = set(site.whole_backups())

    done = cron(site, file, shell)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    assert f"applied  {PRICE}" in done.stdout and "1 migration applied in" in done.stdout
    assert marks(site.database) == [AUTHOR, BOOK, PRICE]
    kept = site.whole_backups()
    assert len(kept) == 2 and len(set(kept) - known) == 1
    assert value(site, "last_run_success") == 1

    again = cron(site, file, shell)
    assert (again.returncode, again.stdout, again.stderr) == (0, "", "")
    assert site.whole_backups() == kept
    assert value(site, "pending_migrations") == 0

    site.folder.add("004_broken", "INSERT INTO author (id, nowhere) VALUES (4, 'x');\n")
    failed = cron(site, file, shell)
    assert failed.returncode == 1 and "error: " in failed.stdout and "004_broken.sql:3" in failed.stdout
    assert (value(site, "last_run_success"), value(site, "last_run_exit_code")) == (0, 1)
    assert len(site.whole_backups()) == 3  # a deploy that failed removes nothing


def value(site: Site, name: str) -> float:
    for family in text_string_to_metric_families((site.home / "maxwell.prom").read_text()):
        if family.name == f"maxwell_db_{name}":
            return float(family.samples[0].value)
    raise AssertionError(name)


def test_the_cron_script_without_its_settings(tmp_path: Path, shell: dict[str, str]) -> None:
    for arguments in ([], [str(tmp_path / "nowhere")]):
        done = subprocess.run(
            [EXAMPLES / "deploy.sh", *arguments], cwd=tmp_path, env=shell, capture_output=True, check=False
        )
        assert done.returncode != 0 and done.stdout == b"" and done.stderr
    assert list(tmp_path.glob("*.db")) == []


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="there is no systemd-analyze")
def test_systemd_takes_the_units(tmp_path: Path) -> None:
    for path in EXAMPLES.glob("maxwell-db-deploy.*"):
        text = path.read_text()
        assert path.suffix != ".service" or text.count("/usr/local/bin/maxwell-db ") == 2
        (tmp_path / path.name).write_text(text.replace("/usr/local/bin/maxwell-db ", f"{shutil.which('true')} "))
    done = subprocess.run(
        ["systemd-analyze", "verify", *map(str, tmp_path.iterdir())], capture_output=True, text=True, check=False
    )
    complaints = [line for line in (done.stdout + done.stderr).splitlines() if "maxwell-db" in line]
    assert (done.returncode, complaints) == (0, [])
    broken = tmp_path / "maxwell-db-deploy.service"
    broken.write_text(broken.read_text().replace("KillMode=mixed", "KillMode=nonsense"))
    done = subprocess.run(["systemd-analyze", "verify", str(broken)], capture_output=True, text=True, check=False)
    assert "nonsense" in done.stderr  # it does look


def test_the_github_job() -> None:
    workflow = yaml.safe_load((EXAMPLES / "github-actions.yml").read_text())
    assert set(workflow) == {"name", True, "permissions", "jobs"}  # YAML 1.1 reads the key 'on' as true
    deploy = workflow["jobs"]["deploy"]
    assert deploy["concurrency"]["cancel-in-progress"] is False
    assert "self-hosted" in deploy["runs-on"] and deploy["environment"] == "production"
    for job in workflow["jobs"].values():
        assert all(("uses" in step) != ("run" in step) for step in job["steps"])
    runs = [step["run"] for job in workflow["jobs"].values() for step in job["steps"] if "run" in step]
    for line in runs:
        if line.startswith("maxwell-db "):
            taken(line.partition(" > ")[0])
    assert sum(line.startswith("maxwell-db ") for line in runs) == 3


def test_the_kubernetes_job() -> None:
    job = yaml.safe_load((EXAMPLES / "kubernetes-job.yaml").read_text())
    assert (job["apiVersion"], job["kind"], job["spec"]["backoffLimit"]) == ("batch/v1", "Job", 0)
    pod = job["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    taken(shlex.join(container["command"]))
    mounted = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
    assert set(mounted) == {volume["name"] for volume in pod["volumes"]}
    assert container["command"][-1].startswith(f"{mounted['backups']}/")
    assert pod["securityContext"]["runAsGroup"] == pod["securityContext"]["fsGroup"]  # or the folder is not private


def test_every_call_in_units_and_script_is_one_that_the_program_takes() -> None:
    calls = [
        line.partition("=")[2].replace("/usr/local/bin/", "")
        for line in (EXAMPLES / "maxwell-db-deploy.service").read_text().splitlines()
        if line.startswith("Exec")
    ]
    assert len(calls) == 2
    for call in calls:
        taken(call)


def taken(call: str) -> None:
    """Command and options are there; nothing is run."""
    words = shlex.split(re.sub(r"\$\{\{.*?\}\}", "main", call))
    assert words.pop(0) == "maxwell-db"
    result = maxwell_db(*words, "--help", sql=None)
    assert result.exit_code == 0 and result.stdout.startswith("Usage: maxwell-db "), result.stderr


# Its tables.


def test_the_page_names_every_metric(make_database: Any, tmp_path: Path) -> None:
    site = make_site(make_database("sqlite"), tmp_path)
    site.deploy("--metrics", "m.prom")
    there = {
        family.name.removeprefix("maxwell_db_")
        for family in text_string_to_metric_families((tmp_path / "m.prom").read_text())
    }
    page = PAGE.read_text()
    table = page[page.index("## Metrics") : page.index("```promql")]
    named = {
        name
        for line in table.splitlines()
        if line.startswith("| `")
        for name in re.findall(r"`(\w+)`", line.split("|")[1])
    }
    assert named == there
    assert set(re.findall(r"maxwell_db_(\w+)", page[page.index("```promql") :])) <= there
