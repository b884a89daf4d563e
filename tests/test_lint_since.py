"""lint --since REF: what is in that branch was not edited here."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.support.linting import HEAD, LAST, NEXT, Reviewed, reviewed

DEPENDS = f"-- depends: {HEAD}\n"


def git(folder: Path, *arguments: str) -> None:
    identity = ("-c", "user.name=x", "-c", "user.email=x@example.org", "-c", "commit.gpgsign=false")
    subprocess.run(["git", *identity, *arguments], cwd=folder, check=True, capture_output=True)


def commit(folder: Reviewed, message: str) -> None:
    git(folder.root, "add", "-A")
    git(folder.root, "commit", "-q", "-m", message)


@pytest.fixture
def branch(tmp_path: Path) -> Reviewed:
    """A repository on a branch that has left main."""
    folder = reviewed(tmp_path / "repository" / "db" / "sql")
    git(folder.root, "init", "-q", "-b", "main", str(tmp_path / "repository"))
    commit(folder, "one")
    git(folder.root, "switch", "-q", "-c", "feature")
    return folder


def test_an_untouched_branch_is_clean(branch: Reviewed) -> None:
    assert branch.findings("--since", "main") == []
    branch.add(NEXT, "SELECT 1;\n", "SELECT 1;\n", header=DEPENDS)
    assert branch.findings("--since", "main") == []


def test_an_edit_is_found_committed_or_not(branch: Reviewed) -> None:
    path = branch.root / "sqlite" / f"{HEAD}.sql"
    path.write_text(path.read_text().replace("body TEXT", "text TEXT"))
    (found,) = branch.findings("--since", "main")
    assert (found["rule"], found["severity"], found["line"]) == ("edited-migration", "error", 6)
    assert found["message"] == "edited since main"
    commit(branch, "two")
    assert branch.findings("--since", "main") == [found]
    assert branch.findings("--since", "HEAD") == []


def test_an_edit_of_comments_is_a_warning(branch: Reviewed) -> None:
    path = branch.root / "sqlite" / f"{HEAD}.rollback.sql"
    path.write_text(path.read_text().replace("Take it back", "Undo it"))
    (found,) = branch.findings("--since", "main")
    assert (found["rule"], found["severity"]) == ("edited-migration", "warn")


def test_what_was_removed_or_renamed_is_found(branch: Reviewed) -> None:
    for dialect in branch.dialects:
        for end in ("sql", "rollback.sql"):
            (branch.root / dialect / f"{HEAD}.{end}").rename(branch.root / dialect / f"{NEXT}.{end}")
    found = branch.findings("--since", "main")
    assert [Path(one["file"]).name for one in found if one["rule"] == "edited-migration"] == [
        f"{HEAD}.rollback.sql",
        f"{HEAD}.sql",
    ] * 2


def test_what_came_into_main_since_is_nobody_s_edit(branch: Reviewed) -> None:
    git(branch.root, "switch", "-q", "main")
    branch.add(LAST, "SELECT 1;\n", "SELECT 1;\n", header=DEPENDS)
    commit(branch, "newer")
    git(branch.root, "switch", "-q", "feature")
    assert branch.findings("--since", "main") == []
    # But what is added here now must not sort before it.
    branch.add(NEXT, "SELECT 1;\n", "SELECT 1;\n", header=DEPENDS)
    assert [one["rule"] for one in branch.findings("--since", "main")] == ["behind-main"] * 2


@pytest.mark.parametrize("ref", ["nowhere", "--upload-pack=x", "", "main:db", "-h"])
def test_an_unknown_reference_is_refused(branch: Reviewed, ref: str) -> None:
    result = branch.lint("--json", f"--since={ref}")
    assert (result.exit_code, result.json()["error"]["code"]) == (2, "UNKNOWN_REF")


def test_a_folder_outside_a_repository_is_refused(tmp_path: Path) -> None:
    folder = reviewed(tmp_path / "sql")
    result = folder.lint("--json", "--since", "main")
    assert (result.exit_code, result.json()["error"]["code"]) == (2, "GIT_FAILED")
    assert "not a git repository" in result.json()["error"]["message"]


def test_a_missing_git_is_said(branch: Reviewed, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    result = branch.lint("--json", "--since", "main")
    assert (result.exit_code, result.json()["error"]["message"]) == (2, "git is not installed")
