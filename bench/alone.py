"""One benchmark as a program of its own."""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable
from pathlib import Path

from bench.measure import Results, Size
from bench.report import text
from tests.support.databases import postgres_server

Measure = Callable[[Size, Path, str], Results]


def alone(measure: Measure, about: str | None) -> None:
    """Measure what the command line asks for, on a PostgreSQL that is started for it, and show it."""
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", choices=["small", "full"], default="small")
    parser.add_argument("--folder", type=Path, help="where to work; default a temporary folder")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as folder, postgres_server() as url:
        results = measure(options.size, Path(folder), url)
    print(text(results))
    for point in results.points:
        print(f"{point.curve:32}{point.work:14,.0f} {point.unit:12}{point.seconds:9.3f} s")
