"""The Containerfile, which is linted: small, not root, nothing left over."""

from __future__ import annotations

import configparser
import os
import re
import shutil
import sys
from pathlib import Path

import pytest

from tests.support.checkouts import run
from tests.support.tool import ROOT

FILE = ROOT / "Containerfile"


def instructions() -> list[tuple[str, str]]:
    """Each instruction with its arguments, continued lines joined, without comments."""
    text = re.sub(r"^#.*\n", "", FILE.read_text(), flags=re.MULTILINE).replace("\\\n", " ")
    return [
        (word, " ".join(rest.split())) for word, _, rest in (line.partition(" ") for line in text.splitlines() if line)
    ]


def test_it_does_not_end_as_root_and_starts_the_program() -> None:
    found = instructions()
    last_stage = found[max(number for number, (word, _) in enumerate(found) if word == "FROM") :]
    assert [rest for word, rest in last_stage if word == "USER"] == ["1000"]
    assert [rest for word, rest in last_stage if word == "ENTRYPOINT"] == ['["maxwell-db"]']
    after = [word for word, _ in last_stage[last_stage.index(("USER", "1000")) :]]
    assert "RUN" not in after and "COPY" not in after


def test_the_base_is_small_and_pinned_and_nothing_is_left_over() -> None:
    found = instructions()
    for image in (rest.split()[0] for word, rest in found if word == "FROM"):
        assert re.fullmatch(r"docker\.io/library/python:3\.\d+-slim-\w+", image)
    for command in (rest for word, rest in found if word == "RUN"):
        assert "apt-get install" not in command or "rm -rf /var/lib/apt/lists/*" in command
        assert "apt-get install" not in command or command.count("--no-install-recommends") == command.count(
            "install --yes"
        )
        assert "pip install" not in command or "--no-cache-dir" in command


def test_what_it_may_copy_is_what_the_package_is_made_of() -> None:
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    assert "*" in lines
    allowed = {line.removeprefix("!") for line in lines if line.startswith("!")}
    assert all((ROOT / name).exists() for name in allowed)
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg")
    files = config["options.data_files"]["share/man/man1"].split()
    assert allowed == {*files, "runner", "sql", "verify", "LICENSE", "README.md", "pyproject.toml", "setup.cfg"}


def test_hadolint_has_nothing_against_it() -> None:
    hadolint = shutil.which("hadolint", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    if hadolint is None:
        pytest.skip("hadolint is not installed; it is in the test extra")
    run(hadolint, str(FILE), cwd=ROOT)
