"""The man page says what the commands' help says, and renders."""

from __future__ import annotations

import os
import re
import shutil
import subprocess

import click
import pytest

from runner.cli.group import COMMANDS, cli
from tests.support.manual import manual
from tests.support.tool import ROOT

PAGE = ROOT / "docs" / "maxwell-db.1"


def test_the_page_has_the_help_of_every_command() -> None:
    """``MAXWELL_WRITE_DOCS=1`` writes it anew."""
    if os.environ.get("MAXWELL_WRITE_DOCS"):
        PAGE.write_text(manual())
    assert PAGE.read_text() == manual()


def test_the_page_is_ascii_with_known_requests_and_each_part_in_its_order() -> None:
    page = PAGE.read_text()
    assert page.isascii()
    requests = set(re.findall(r"^\.(\S+)", page, re.MULTILINE))
    assert requests == {'\\"', "TH", "SH", "SS", "PP", "TP", "B", "BR", "nf", "fi", "nh", "ad"}
    assert page.count("\n.nf\n") == page.count("\n.fi\n")
    assert re.findall(r"^\.SH (.*)$", page, re.MULTILINE) == [
        *("NAME", "SYNOPSIS", "DESCRIPTION", "OPTIONS", "COMMANDS"),
        *("EXIT STATUS", "ENVIRONMENT", "FILES", "SEE ALSO"),
    ]
    assert re.findall(r'^\.SS "([a-z]+)', page, re.MULTILINE) == sorted(COMMANDS)


@pytest.mark.parametrize(
    "program",
    [
        ("groff", "-man", "-Tutf8", "-ww", "-Kutf8"),
        ("mandoc", "-T", "utf8", "-W", "warning"),
        ("man", "--warnings", "--local-file"),
    ],
    ids=lambda program: program[0],
)
def test_the_page_renders_without_warnings(program: tuple[str, ...]) -> None:
    found = shutil.which(program[0])
    if found is None:
        pytest.skip(f"this machine has no {program[0]}")
    environment = os.environ | {"MANPAGER": "cat", "PAGER": "cat", "LC_ALL": "C.UTF-8", "MANWIDTH": "100"}
    done = subprocess.run(
        [found, *program[1:], str(PAGE)], env=environment, capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.returncode, done.stderr) == (0, "")
    shown = " ".join(re.sub(r"\x1b\[[\d;]*m|.\x08", "", done.stdout).split())
    group = cli.make_context("maxwell-db", [], resilient_parsing=True)
    for name in COMMANDS:
        command = cli.get_command(group, name)
        assert command is not None and command.help
        for option in (one for one in command.params if isinstance(one, click.Option)):
            assert max(option.opts, key=len) in shown, (name, option.opts)
    assert "'source <(maxwell-db completion bash)' >> ~/.bashrc" in shown  # quotes and tildes as they are typed
