"""Migrations in both dialects for rehearsals: a good pair of migrations, and one that a test makes worse."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.support.tool import Result, maxwell_db

DIALECTS = ("sqlite", "postgres")
FIRST, SECOND = "001_probes", "002_readings"

PROBES = """
CREATE TABLE probe (
    id          INTEGER       NOT NULL PRIMARY KEY,
    name        VARCHAR(40)   NOT NULL UNIQUE,
    unit        VARCHAR(10)   DEFAULT 'volt',
    price       {decimal}     DEFAULT 1.50,
    active      BOOLEAN       NOT NULL DEFAULT TRUE,
    created_at  {time}        DEFAULT {now}
);
"""
READINGS = """
CREATE TABLE reading (
    id        INTEGER  NOT NULL PRIMARY KEY,
    probe_id  INTEGER  NOT NULL REFERENCES probe (id) ON DELETE CASCADE,
    before    INTEGER  REFERENCES reading (id),
    value     {float}  CHECK (value BETWEEN 90 AND 95),
    CONSTRAINT uq_reading UNIQUE (probe_id, value)
);
CREATE INDEX idx_reading_value ON reading (value DESC);
{trigger}
"""
TRIGGER = {
    "sqlite": "CREATE TRIGGER touch AFTER UPDATE ON reading"
    " BEGIN UPDATE probe SET unit = unit WHERE id = NEW.probe_id; END;",
    "postgres": "CREATE FUNCTION touched() RETURNS trigger LANGUAGE plpgsql AS"
    " $$ BEGIN UPDATE probe SET unit = unit WHERE id = NEW.probe_id; RETURN NEW; END $$;\n"
    "CREATE TRIGGER touch AFTER UPDATE ON reading FOR EACH ROW EXECUTE FUNCTION touched();",
}
UNTRIGGER = {"sqlite": "DROP TRIGGER touch;", "postgres": "DROP TRIGGER touch ON reading; DROP FUNCTION touched();"}
WORDS = {
    "sqlite": {"decimal": "DECIMAL(8,2)", "time": "DATETIME", "now": "CURRENT_TIMESTAMP", "float": "REAL"},
    "postgres": {
        "decimal": "NUMERIC(8,2)",
        "time": "TIMESTAMP",
        "now": "(now() AT TIME ZONE 'UTC')",
        "float": "DOUBLE PRECISION",
    },
}


@dataclass
class Rehearsed:
    """A project's folder, and the texts in it by dialect and file name."""

    root: Path
    server: str
    files: dict[str, dict[str, str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for dialect in DIALECTS:
            words = WORDS[dialect] | {"trigger": TRIGGER[dialect]}
            self.files[dialect] = {
                f"{FIRST}.sql": f"-- Keep probes.\n{PROBES.format(**words)}",
                f"{FIRST}.rollback.sql": "DROP TABLE probe;\n",
                f"{SECOND}.sql": f"-- Keep readings.\n-- depends: {FIRST}\n{READINGS.format(**words)}",
                f"{SECOND}.rollback.sql": f"{UNTRIGGER[dialect]}\nDROP INDEX idx_reading_value;\nDROP TABLE reading;\n",
            }

    def add(self, id: str, apply: str, rollback: str | None = None, *, only: str = "", header: str = "") -> None:
        """One more migration, in both dialects or one only."""
        for dialect in DIALECTS:
            if only in ("", dialect):
                self.files[dialect][f"{id}.sql"] = f"-- One more.\n{header}{apply}\n"
                if rollback is not None:
                    self.files[dialect][f"{id}.rollback.sql"] = f"{rollback}\n"

    def change(self, dialect: str, name: str, old: str, new: str) -> None:
        """In one dialect (or, as ``both``, in each) another text."""
        for each in DIALECTS if dialect == "both" else (dialect,):
            text = self.files[each][name]
            assert old in text, f"{old!r} is not in {name}"
            self.files[each][name] = text.replace(old, new)

    def run(self, *arguments: str, expect: int = 0) -> dict[str, Any]:
        """The JSON of a rehearsal on the tests' own server."""
        result = self.raw("--json", "rehearse", "--scratch", self.server, "--rows", "12", *arguments)
        assert result.exit_code == expect, result.stdout + result.stderr
        return result.json()

    def raw(self, *arguments: str) -> Result:
        for dialect, files in self.files.items():
            folder = self.root / dialect
            folder.mkdir(parents=True, exist_ok=True)
            for name, text in files.items():
                (folder / name).write_text(text)
        return maxwell_db(*arguments, sql=self.root, cwd=self.root)


def found(answer: dict[str, Any], severity: str = "error") -> list[tuple[str | None, str, str, str]]:
    """Where and what: dialect, id, step and the code of each finding."""
    return [
        (step["dialect"], step["id"], step["step"], finding["code"])
        for step in answer["steps"]
        for finding in step["findings"]
        if finding["severity"] == severity
    ]


def messages(answer: dict[str, Any]) -> str:
    return "\n".join(finding["message"] for step in answer["steps"] for finding in step["findings"])
