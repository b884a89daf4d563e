"""What status costs, with 6 and 1,000 applied migrations: beside the imports it needs, and beside yoyo list.

python -m bench.status [--size full]
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from bench.alone import alone
from bench.measure import Finding, Point, Results, Run, Size, in_turn, maxwell_db, run
from bench.migrations import small_migrations
from runner.domain.migration import Dialect
from runner.sources.file_stat import SETTLED_SECONDS
from tests.support.databases import drop_postgres_database, postgres_database
from tests.support.tool import MAXWELL

#: Of each dialect: its name, what status cannot do without, and the most beside that and beside yoyo list.
DIALECTS: dict[Dialect, tuple[str, str, str, dict[int, tuple[float, float]]]] = {
    "sqlite": ("b1", "SQLite", "import click", {6: (1.3, 0.5), 1000: (1.5, 0.04)}),
    "postgres": ("b2", "PostgreSQL", "import click, psycopg2", {6: (1.3, 0.6), 1000: (1.5, 0.06)}),
}
MOST_TO_READ = 70 / 38.8  # the target is 70 ms where importing click takes 38.8


def measure(size: Size, folder: Path, url: str) -> Results:
    """Status on both dialects; in the large size also with 10 to 10,000 migrations."""
    results = Results()
    for dialect, (target, name, imports, most) in DIALECTS.items():
        counts = [6, 1000] if size == "small" else [6, 10, 100, 1000, 10_000]
        for count in counts:
            files = MAXWELL / dialect if count == 6 else small_migrations(folder / f"{dialect}-{count}", count)
            bench = _Applied(dialect, files, folder, url)
            with bench as database:
                at_most = most.get(count)
                sides: dict[str, Callable[[], Run]] = {
                    imports: partial(run, [sys.executable, "-c", imports]),
                    "ours": partial(run, ours(database, files)),
                    "read": partial(run, ours(database, files, "--read-files")),
                }
                if at_most:
                    sides["yoyo list"] = partial(run, yoyo_list(database, files))
                runs = in_turn(sides, 9 if count < 10_000 else 3)
            results.points.append(Point(f"status, {name}", count, runs["ours"].seconds))
            results.points.append(Point(f"status --read-files, {name}", count, runs["read"].seconds))
            if at_most is None:
                continue
            work = f"{name}: {count:,} applied"
            for peer, limit in zip((imports, "yoyo list"), at_most, strict=True):
                results.findings.append(Finding(target, work, peer, runs["ours"].seconds, runs[peer].seconds, limit))
            if (dialect, count) == ("sqlite", 1000):
                work = f"{name}: {count:,} applied, --read-files"
                read, other = runs["read"].seconds, runs[imports].seconds
                results.findings.append(Finding("b3", work, imports, read, other, MOST_TO_READ))
    return results


def ours(database: str, files: Path, *options: str) -> list[str]:
    return maxwell_db("--database", database, "--sql", str(files), "status", *options)


def yoyo_list(database: str, files: Path) -> list[str]:
    options = ("--no-config-file", "--batch", "--database", database)
    return [sys.executable, "-m", "yoyo", "list", *options, str(files)]


class _Applied:
    """The URL of a new database with these migrations applied, by us."""

    def __init__(self, dialect: Dialect, files: Path, folder: Path, url: str) -> None:
        self._dialect, self._files, self._folder, self._server = dialect, files, folder, url

    def __enter__(self) -> str:
        name = f"status_{os.getpid()}_{self._files.parent.name}_{self._files.name.replace('-', '_')}"
        if self._dialect == "postgres":
            self._database = postgres_database(self._server, name)
            url = self._database.url
        else:
            url = f"sqlite:///{self._folder / name}.db"
        time.sleep(SETTLED_SECONDS)  # nobody looks at a file's times that has just been written
        command = maxwell_db("--database", url, "--sql", str(self._files), "--quiet", "apply", "--no-verify")
        subprocess.run(command, check=True, capture_output=True)
        return url

    def __exit__(self, *_: object) -> None:
        if self._dialect == "postgres":
            drop_postgres_database(self._server, self._database)


if __name__ == "__main__":
    alone(measure, __doc__)
