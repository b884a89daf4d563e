"""Three runners at once, killed at random, 200 times for each dialect: nothing lost, and the next run ends right.

``MAXWELL_TEST_KILLS`` asks for more. A storm that ends badly prints its seed: ``python -m tests.storm --seed`` makes
the same choices again.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest

from tests.support.tool import ROOT, clean_environment

KILLS = int(os.environ.get("MAXWELL_TEST_KILLS", "200"))


def test_a06_in_a_storm_of_kills_nothing_is_lost(dialect: str, request: pytest.FixtureRequest) -> None:
    """Runs beside each other, killed at random again and again, apply each migration once and leave nothing to mend."""
    server = {"MAXWELL_TEST_PG_URL": request.getfixturevalue("pg_url")} if dialect == "postgres" else {}
    done = subprocess.run(
        [sys.executable, "-m", "tests.storm", "--dialect", dialect, "--kills", str(KILLS)],
        cwd=ROOT,
        env=clean_environment(server),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=120 + KILLS,
    )
    print(done.stdout)
    assert done.returncode == 0, done.stdout  # the seed is in its first line
    assert re.search(rf"^{dialect}: seed \d+$", done.stdout, re.MULTILINE)
    (summary,) = re.findall(rf"^{dialect}: (\d+) kills in \d+ rounds, 0 bad$", done.stdout, re.MULTILINE)
    assert int(summary) >= KILLS
