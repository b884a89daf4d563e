"""A rehearsal that was written down: the JSON of ``rehearse --json``, read back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from runner.catalog import Difference
from runner.catalog.parity import Disparity
from runner.domain.outcome import Direction
from runner.errors import UsageError
from runner.rehearsal.model import Finding, Lock, RehearsalReport, StatementReport, Step

_KEYS = ("passed", "servers", "steps", "statements", "rows", "notes")


def read_rehearsal(path: Path) -> RehearsalReport:
    """The rehearsal in a file. UsageError if it cannot be read, or is none."""
    try:
        answer = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise _bad(path, f"cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise _bad(path, f"is no JSON: {' '.join(str(error).split())}") from error
    if not isinstance(answer, dict) or any(key not in answer for key in _KEYS):
        raise _bad(path, "is no rehearsal's JSON")
    try:
        return _report(answer)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise _bad(path, f"is not as 'rehearse --json' writes it: {type(error).__name__} {error}") from error


def _bad(path: Path, problem: str) -> UsageError:
    return UsageError(
        problem,
        code="BAD_REHEARSAL",
        hint="Write one with: maxwell-db rehearse --json > FILE.json",
        file=path,
    )


def _report(answer: dict[str, Any]) -> RehearsalReport:
    dialects = {*answer["servers"], *answer["rows"], *(step["dialect"] for step in answer["steps"])}
    words = {step["status"] for step in answer["steps"]}
    if not dialects <= {"sqlite", "postgres", None} or not words <= {"passed", "failed", "skipped"}:
        raise ValueError("has a dialect or a status that there is not")
    return RehearsalReport(
        tuple(_step(step) for step in answer["steps"]),
        tuple(_statement(one) for one in answer["statements"]),
        {dialect: {str(name): int(rows) for name, rows in found.items()} for dialect, found in answer["rows"].items()},
        {dialect: str(server) for dialect, server in answer["servers"].items()},
        {step["id"]: step["version"] for step in answer["steps"]},
        tuple(str(text) for text in answer["notes"]),
        {str(name): str(checksum) for name, checksum in answer.get("files", {}).items()},
    )


def _step(step: dict[str, Any]) -> Step:
    return Step(
        step["dialect"],
        str(step["id"]),
        str(step["step"]),
        step["status"],
        float(step["duration_ms"]),
        tuple(_finding(finding) for finding in step["findings"]),
        step["reason"],
    )


def _finding(finding: dict[str, Any]) -> Finding:
    return Finding(
        str(finding["code"]),
        finding["severity"],
        str(finding["message"]),
        None if finding["file"] is None else Path(finding["file"]),
        finding["line"],
        finding["statement"],
        tuple(Difference(**one) for one in finding["differences"]),
        tuple(Disparity(**one) for one in finding["disparities"]),
    )


def _statement(one: dict[str, Any]) -> StatementReport:
    return StatementReport(
        str(one["id"]),
        Direction(one["direction"]),
        Path(one["file"]),
        int(one["line"]),
        str(one["sql"]),
        float(one["duration_ms"]),
        tuple(Lock(str(lock["relation"]), str(lock["mode"]), str(lock["blocks"])) for lock in one["locks"]),
        tuple(str(name) for name in one["rewrites"]),
        one["note"],
    )
