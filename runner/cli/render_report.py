"""What a report gathered, as a line of text and as JSON. The page itself is made by ``runner.report``."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runner.cli.render import history_data
from runner.cli.render_rehearsal import rehearsal_data
from runner.cli.render_status import status_data
from runner.report.text import plain
from runner.report.words import summary

if TYPE_CHECKING:
    from runner.domain.migration import Script
    from runner.report.model import Change, Lint, Rehearsed, Report


def report_text(report: Report, file: Path) -> str:
    """What was written, and the handful of facts that it begins with."""
    facts = [f"  {fact.name:<10} {plain(fact.text)}" for fact in summary(report)]
    return "\n".join([f"{file} is written.", *facts])


def report_data(report: Report, file: Path | None, form: str) -> dict[str, Any]:
    return {
        "file": None if file is None else str(file),
        "format": form,
        "made_at": report.made_at,
        **status_data(report.standing),
        "after": report.after,
        "changes": [_change(change) for change in report.changes],
        "refused": list(report.refused),
        "lint": None if report.lint is None else _lint(report.lint),
        "rehearsal": None if report.rehearsed is None else _rehearsal(report.rehearsed),
        "checks": None if report.checks is None else [asdict(check) for check in report.checks.checks],
        "counts": None if report.counts is None else dict(report.counts),
        "schema": None
        if report.schema is None
        else {
            "tables": {table.name: str(table.mark) for table in report.schema.tables},
            "differences": [difference.as_dict() for difference in report.schema.differences],
        },
        **history_data(report.history),
        "notes": dict(report.notes),
    }


def _change(change: Change) -> dict[str, Any]:
    return {
        "id": change.id,
        "state": None if change.state is None else str(change.state),
        "files": {
            dialect: {
                "apply": _script(migration.apply),
                "rollback": None if migration.rollback is None else _script(migration.rollback),
            }
            for dialect, migration in change.files.items()
        },
    }


def _script(script: Script) -> dict[str, Any]:
    return {"file": str(script.path), "sha256": script.sha256}


def _lint(lint: Lint) -> dict[str, Any]:
    return {
        "files": lint.files,
        "errors": lint.errors,
        "warnings": lint.warnings,
        "suppressed": lint.suppressed,
        "squawk": lint.squawk,
        "findings": [asdict(finding) | {"file": str(finding.file)} for finding in lint.findings],
    }


def _rehearsal(found: Rehearsed) -> dict[str, Any]:
    return rehearsal_data(found.report) | {"source": found.source, "stale": list(found.stale)}
