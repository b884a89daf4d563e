"""The how-to pages, followed word for word; the pipelines in them run.

``MAXWELL_WRITE_DOCS=1`` writes what the commands print into the pages.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import yaml

from tests.support import alembic
from tests.support.databases import Database, sqlite_database
from tests.support.tool import MAXWELL, ROOT, maxwell_db
from tests.support.transcripts import WHO, blocks, desk, follow

DOCS = ROOT / "docs"
HOWTO = DOCS / "howto"


def test_how_to_have_a_schema_of_one_s_own(
    tmp_path: Path, programs: dict[str, str], make_database: Callable[[str], Database], pg_url: str
) -> None:
    database = make_database("postgres")
    url = maxwell_db("--json", "history", database=database).json()["database"]
    env = programs | {"PRODUCTION": database.url, "MAXWELL_DB_SCRATCH": pg_url}
    with desk(folder(tmp_path), env, {url: "postgresql://shop@db.internal/shop"} | WHO) as sitting:
        assert follow(HOWTO / "own-schema.md", sitting) >= 12
    assert database.tables() == sqlite_database(tmp_path / "desk" / "old.db").tables() == {"item"}


def test_how_to_use_cron(tmp_path: Path, programs: dict[str, str]) -> None:
    shutil.copy(DOCS / "examples" / "deploy.sh", folder(tmp_path))
    with desk(tmp_path / "desk", programs, WHO) as sitting:
        assert follow(HOWTO / "cron.md", sitting) >= 8


def test_how_to_come_from_alembic(tmp_path: Path, programs: dict[str, str]) -> None:
    database = sqlite_database(folder(tmp_path) / "maxwell.db")
    alembic.upgrade(database, "004_add_codex", alembic.own_environment(tmp_path / "alembic", MAXWELL, "sqlite"))
    with desk(tmp_path / "desk", programs, WHO) as sitting:
        assert follow(HOWTO / "from-alembic.md", sitting) >= 9


def test_how_to_come_from_plain_yoyo(tmp_path: Path, programs: dict[str, str]) -> None:
    with desk(folder(tmp_path), programs, WHO) as sitting:
        assert follow(HOWTO / "from-yoyo.md", sitting) >= 13


def test_what_the_pipelines_call_passes_and_finds_faults(
    tmp_path: Path, programs: dict[str, str], make_database: Callable[[str], Database], pg_url: str
) -> None:
    """Each step of both pipelines, in a repository whose main branch has one migration, and a branch one more."""
    database = make_database("postgres")
    home = folder(tmp_path)
    with desk(home, programs | {"DATABASE_URL": database.url, "MAXWELL_DB_SCRATCH": pg_url}) as sitting:

        def status(command: str) -> int:
            sitting.run(command)
            return int(sitting.run("echo $?"))

        def begin(name: str) -> int:
            return status(f"maxwell-db new phase1_{name}s_add_table --pattern create-table --table {name} && git add .")

        assert status("git init -q -b main && git config user.email a@b.c && git config user.name A") == 0
        assert begin("item") == 0 and status("git commit -qm 1 && git update-ref refs/remotes/origin/main HEAD") == 0
        assert begin("order") == 0 and status("git commit -qm 2 && maxwell-db apply") == 0
        calls = pipelines()
        assert len(calls) == 8
        for call in calls:
            assert status(call) == 0, call
        assert (home / "rehearsal.xml").is_file() and (home / "lint.json").read_text() == "[]\n"

        database.script("ALTER TABLE item ADD COLUMN by_hand TEXT")
        assert status("maxwell-db drift") == 6
        assert status("sed -i s/item/thing/ sql/sqlite/*_items_*") == 0
        assert status("maxwell-db lint --since origin/main --format github") == 1


def pipelines() -> list[str]:
    """What the steps of GitHub's workflow and of GitLab's call, in that order."""
    found = {block.file: yaml.safe_load(block.text) for block in blocks((HOWTO / "ci.md").read_text()) if block.file}
    github, gitlab = found[".github/workflows/database.yml"], found[".gitlab-ci.yml"]
    steps = [step for job in github["jobs"].values() for step in job["steps"]]
    assert all(("uses" in step) != ("run" in step) for step in steps)
    lines = [step["run"] for step in steps if "run" in step]
    lines += [line for job in ("review", "drift") for line in gitlab[job]["script"]]
    return [line for line in lines if line.startswith("maxwell-db ")]


def folder(tmp_path: Path) -> Path:
    """An empty one to sit in."""
    made = tmp_path / "desk"
    made.mkdir()
    return made
