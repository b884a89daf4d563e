"""What each command imports before it does anything: beside Python alone, and beside click alone.

python -m bench.startup
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

from bench.alone import alone
from bench.measure import Finding, Results, Run, Size, in_turn, maxwell_db, run
from runner.cli.names import COMMANDS


def measure(size: Size, folder: Path, url: str) -> Results:
    """The help of every command, which is all that has to be imported to know its options."""
    sides = {"click": python("import click"), "Python": python("pass")}
    sides |= {name: partial(run, maxwell_db(name, "--help")) for name in COMMANDS}
    runs = in_turn(sides, 9 if size == "full" else 5)
    return Results(
        [
            Finding("", f"{name} --help", "import click", runs[name].seconds, runs["click"].seconds)
            for name in sorted(COMMANDS, key=lambda name: -runs[name].seconds)
        ]
        + [Finding("", "nothing: Python alone", "import click", runs["Python"].seconds, runs["click"].seconds)]
    )


def python(program: str) -> Callable[[], Run]:
    return partial(run, [sys.executable, "-c", program])


if __name__ == "__main__":
    alone(measure, __doc__)
