"""A library in production: three migrations, the last of them pending, with rows that no deploy may lose."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.databases import Database, rows_of
from tests.support.folders import own_tables
from tests.support.migrations import AUTHOR, BOOK, Folder, library, marks
from tests.support.tool import Result, clean_environment, maxwell_db

#: One migration that a check of the users' own, of ``no_flags``, is against, and the check.
FLAG = "004_flag"


@dataclass(frozen=True)
class Site:
    """A database, its migrations, and the folder that its backups go to."""

    database: Database
    folder: Folder
    home: Path

    @property
    def backups(self) -> Path:
        return self.home / "backups"

    def run(self, *arguments: str, expect: int = 0, env: dict[str, str] | None = None) -> Result:
        """Run a command; it must end with the exit code ``expect``, and without a traceback."""
        result = maxwell_db(*arguments, database=self.database, sql=self.folder.path, cwd=self.home, env=env)
        assert result.exit_code == expect, f"exit code {result.exit_code}\n{result.stdout}\n{result.stderr}"
        assert "Traceback" not in result.stdout + result.stderr
        return result

    def deploy(self, *arguments: str, expect: int = 0) -> dict[str, Any]:
        """The JSON of a deploy."""
        answer = self.run("--json", "deploy", "--backup-dir", "backups", *arguments, expect=expect).json()
        assert (answer["ok"], answer["exit_code"]) == (expect == 0, expect)
        return answer

    def facts(self) -> dict[str, Any]:
        """What users have and where the database stands: what a deploy that failed must leave as it was."""
        return rows_of(self.database, sorted(own_tables(self.database))) | {"marks": marks(self.database)}

    def whole_backups(self) -> list[Path]:
        answer = self.run("--json", "backups", "--backup-dir", "backups").json()
        assert [one["problem"] for one in answer["backups"] if one["problem"]] == []
        return [self.home / one["file"] for one in answer["backups"]]

    def leftovers(self) -> list[Path]:
        return [path for path in self.home.rglob("*") if path.name.endswith(".partial")]

    @contextmanager
    def running(self, *arguments: str) -> Iterator[subprocess.Popen[str]]:
        """The program as a process of its own; killed at the end, if it is still there."""
        common = ["--database", self.database.url, "--sql", str(self.folder.path)]
        run = subprocess.Popen(
            [sys.executable, "-m", "runner", *common, *arguments],
            cwd=self.home,
            env=clean_environment(None),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            yield run
        finally:
            run.kill()
            run.communicate()


def site(database: Database, home: Path) -> Site:
    """``003_price`` is pending; there are two authors and three books."""
    folder = library(home)
    found = Site(database, folder, home)
    found.run("apply", BOOK, "-q")
    database.script("INSERT INTO book (id, author_id) VALUES (1, 1), (2, 2), (3, 2)")
    assert marks(database) == [AUTHOR, BOOK]
    return found


def add_flag(site: Site, rollback: str = "DROP TABLE flag;\n") -> Path:
    """A fourth migration that applies, and that the check in the folder given back is against."""
    site.folder.add(
        FLAG, "CREATE TABLE flag (id INTEGER NOT NULL PRIMARY KEY);\nINSERT INTO flag VALUES (7);\n", rollback
    )
    checks = site.home / "checks"
    checks.mkdir(exist_ok=True)
    (checks / "no-flags.sql").write_text(
        "-- check: no-flags\n-- severity: error\n-- requires: flag\n-- There are no flags.\n"
        "SELECT 'flag' AS table_name, id AS row_key, 'a flag' AS detail FROM flag\n"
    )
    return checks


def wait_for_line(run: subprocess.Popen[str], words: str) -> None:
    """Read what the program says on stderr until it says that."""
    assert run.stderr is not None
    said = []
    for line in run.stderr:
        said.append(line)
        if words in line:
            return
    raise AssertionError(f"it never said {words!r}: {said}")


def wait_until(true: Callable[[], Any], what: str, seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, what
        time.sleep(0.02)
