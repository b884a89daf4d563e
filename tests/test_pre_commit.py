"""The hook for pre-commit: real pre-commit, which builds its environment from a clone of this checkout."""

from __future__ import annotations

import configparser
import re
import sys
from pathlib import Path

import yaml

from tests.support.checkouts import copy_of_this_checkout, git, repository, run
from tests.support.tool import ROOT

NAME = "20260101_0900_notes_add_table"
GOOD = "-- Keep notes.\nCREATE TABLE note (\n    id   INTEGER NOT NULL PRIMARY KEY,\n    body TEXT    NOT NULL\n);\n"


def test_the_hook_fails_on_a_bad_pair_with_file_and_line_and_passes_a_good_one(tmp_path: Path) -> None:
    """One environment for both, since to make it is what takes its time."""
    tool = copy_of_this_checkout(tmp_path / "tool")
    revision = repository(tool)
    home = {"PRE_COMMIT_HOME": str(tmp_path / "home")}
    application = tmp_path / "application"
    for dialect in ("sqlite", "postgres"):
        folder = application / "db" / dialect
        folder.mkdir(parents=True)
        (folder / f"{NAME}.sql").write_text(GOOD)
        (folder / f"{NAME}.rollback.sql").write_text("-- Forget them.\nDROP TABLE note;\n")
    (application / "queries.sql").write_text("SELECT 1 -- no migration, and nobody's business\n")
    (application / ".pre-commit-config.yaml").write_text(
        f"repos:\n- repo: {tool}\n  rev: {revision}\n  hooks:\n  - id: maxwell-db-lint\n"
    )
    repository(application)
    bad = application / "db" / "postgres" / f"{NAME}.sql"
    bad.write_text(f"{GOOD}\nDROP TABLE shelf;\n")
    git(application, "add", "--all")

    pre_commit = (sys.executable, "-m", "pre_commit", "run", "--color", "never")
    failed = run(*pre_commit, cwd=application, env=home, expect=1)
    assert f"db/postgres/{NAME}.sql:7:" in failed.stdout, failed.stdout
    assert "drops shelf" in failed.stdout

    bad.write_text(GOOD)
    git(application, "add", "--all")
    passed = run(*pre_commit, "--all-files", "--verbose", cwd=application, env=home)
    assert re.search(r"review migrations\.+Passed", passed.stdout)
    assert "4 files reviewed: 0 errors, 0 warnings." in passed.stdout
    assert "squawk is not installed" not in passed.stdout


def test_the_hook_takes_the_files_of_the_trees_and_squawk_as_the_extra_does() -> None:
    (hook,) = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())
    files = re.compile(hook["files"])
    for path in ("sql/sqlite/a.sql", "sql/postgres/a.rollback.sql", "sqlite/a.sql", "apps/x/db/postgres/a.sql"):
        assert files.search(path), path
    for path in ("a.sql", "sql/a.sql", "sql/sqlite/a.sql.bak", "sql/sqlite/more/a.sql", "notsqlite/a.sql"):
        assert not files.search(path), path
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg")
    assert hook["additional_dependencies"] == config["options.extras_require"]["lint"].split()
