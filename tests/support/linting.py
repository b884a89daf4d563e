"""Folders to lint, and what lint says of them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.tool import Result, maxwell_db

HEAD = "20260301_0900_phase4_notes_add_table"
NEXT = "20260302_0900_phase4_notes_add_kind"
LAST = "20260303_0900_phase4_notes_add_tags"
TABLE = "CREATE TABLE notes (\n    id INTEGER NOT NULL PRIMARY KEY,\n    body TEXT\n);\n"


@dataclass(frozen=True)
class Reviewed:
    """A ``sql/`` folder with a first migration that nothing is wrong with, in one dialect or in both."""

    root: Path
    dialects: tuple[str, ...] = ("sqlite", "postgres")

    def add(self, id: str, apply: str, rollback: str | None = "", /, *, header: str = "") -> None:
        """Write a pair in each dialect: a sentence, the header's lines, the statements."""
        for dialect in self.dialects:
            self.write(dialect, f"{id}.sql", f"-- Why it is there.\n{header}\n{apply}")
            if rollback is not None:
                self.write(dialect, f"{id}.rollback.sql", f"-- Take it back.\n\n{rollback}")

    def write(self, dialect: str, name: str, text: str) -> Path:
        folder = self.root / dialect
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / name
        path.write_bytes(text.encode())
        return path

    def lint(self, *arguments: str, squawk: str = "off", cwd: Path | None = None) -> Result:
        return maxwell_db("lint", "--squawk", squawk, *arguments, sql=self.root, cwd=cwd)

    def findings(self, *arguments: str, squawk: str = "off", cwd: Path | None = None) -> list[dict[str, Any]]:
        result = self.lint("--json", *arguments, squawk=squawk, cwd=cwd)
        found: list[dict[str, Any]] = result.json()["findings"]
        wanted = 1 if any(one["severity"] == "error" for one in found) else 0
        assert result.exit_code == wanted, result.stdout
        return found

    def rules(self, *arguments: str, squawk: str = "off") -> set[str]:
        return {one["rule"] for one in self.findings(*arguments, squawk=squawk)}


def reviewed(root: Path, *dialects: str) -> Reviewed:
    folder = Reviewed(root, dialects or ("sqlite", "postgres"))
    folder.add(HEAD, TABLE, "DROP TABLE notes;\n", header="-- version: 1.0.0\n")
    return folder
