"""Copies of this checkout, for what works on a checkout of its own: a build, pre-commit, an action."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from tests.support.tool import ROOT, clean_environment

_LEFT_OUT = (".git", ".venv", ".*_cache", ".hypothesis", "__pycache__", "build", "dist", "*.egg-info", "*.db", "*.db-*")


def copy_of_this_checkout(folder: Path) -> Path:
    """The files as they lie here, committed or not, without what tools leave among them."""
    return Path(shutil.copytree(ROOT, folder, ignore=shutil.ignore_patterns(*_LEFT_OUT)))


def repository(folder: Path) -> str:
    """Make a folder a git repository with all that is in it; the commit's hash."""
    git(folder, "init", "--quiet", "--initial-branch", "main")
    return commit(folder)


def commit(folder: Path) -> str:
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--allow-empty", "--message", "All of it")
    return git(folder, "rev-parse", "HEAD").strip()


def git(folder: Path, *arguments: str) -> str:
    command = ["git", "-c", "user.name=A Tester", "-c", "user.email=tester@example.org", *arguments]
    return run(*command, cwd=folder).stdout


def run(
    *command: str, cwd: Path, env: Mapping[str, str] | None = None, expect: int | None = 0
) -> subprocess.CompletedProcess[str]:
    """Run a program, away from this checkout, from the user's git settings and from any repository around it."""
    environment = clean_environment(
        {"PYTHONPATH": "", "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
    )
    environment = {name: value for name, value in environment.items() if name not in ("GIT_DIR", "GIT_WORK_TREE")}
    done = subprocess.run(
        command,
        cwd=cwd,
        env=environment | dict(env or {}),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert expect is None or done.returncode == expect, done.stdout + done.stderr
    return done
