"""What both forms of the report say in the same words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePath

from runner.catalog import Difference
from runner.domain.outcome import Direction
from runner.rehearsal.model import StatementReport, Step
from runner.rehearsal.statements import ORDINARY
from runner.report.model import Report
from runner.report.schema import Mark
from runner.report.text import count, shortened

STATE_SIGN = {
    "applied": "\N{CHECK MARK}",
    "pending": "\N{BLACK RIGHT-POINTING SMALL TRIANGLE}",
    "cosmetic": "~",
    "changed": "\N{BALLOT X}",
    "missing": "\N{BALLOT X}",
    "out-of-order": "\N{BALLOT X}",
    "unfinished": "\N{BALLOT X}",
}
OPERATION = {"mark": "stamp", "unmark": "unstamp"}
#: How a rehearsal is made for the report, or before it.
REHEARSE = "maxwell-db report --rehearse"
REHEARSE_BEFORE = "maxwell-db rehearse --json > FILE.json", "maxwell-db report --rehearsal FILE.json"


@dataclass(frozen=True)
class Fact:
    """One of the few things to know first. ``tone``: good, warn, bad or plain; the text says it too."""

    name: str
    text: str
    tone: str = "plain"


def summary(report: Report) -> list[Fact]:
    """The report in a handful of facts."""
    return [
        Fact("database", report.standing.place),
        _change(report),
        _schema(report),
        _lint(report),
        _rehearsal(report),
        _checks(report),
    ]


def _change(report: Report) -> Fact:
    number = sum(change.state is not None for change in report.changes)
    others = len(report.changes) - number
    more = f", and {others} of the other dialect alone" if others else ""
    if report.after is not None:
        return Fact("change", f"{count(number, 'migration')} after {report.after}{more}")
    head = report.standing.head_version
    to = f", to version {head}" if number and head else ""
    return Fact("change", f"{f'{number} pending{to}' if number else 'nothing is pending'}{more}")


def _schema(report: Report) -> Fact:
    if report.schema is None:
        return Fact("schema", "not known", "warn")
    found = [(mark, len(report.schema.marked(mark))) for mark in (Mark.ADDED, Mark.CHANGED, Mark.DROPPED)]
    told = [f"{mark.sign}{number} {'new' if mark is Mark.ADDED else mark}" for mark, number in found if number]
    tables = count(len(report.schema.tables), "table")
    return Fact("tables", ", ".join(told) if told else f"{tables}, none touched", "warn" if found[2][1] else "plain")


def _lint(report: Report) -> Fact:
    if report.lint is None:
        return Fact("lint", "nothing to look at")
    errors, warnings = report.lint.errors, report.lint.warnings
    if not errors and not warnings:
        return Fact("lint", "no findings", "good")
    told = [count(number, word) for number, word in ((errors, "error"), (warnings, "warning")) if number]
    return Fact("lint", ", ".join(told), "bad" if errors else "warn")


def _rehearsal(report: Report) -> Fact:
    if report.rehearsed is None:
        return Fact("rehearsal", "none was made", "warn" if report.changes else "plain")
    failed, steps = len(report.rehearsed.report.failed), len(report.rehearsed.report.steps)
    if failed:
        return Fact("rehearsal", f"{failed} of {count(steps, 'step')} failed", "bad")
    stale = ", of other files" if report.rehearsed.stale else ""
    return Fact("rehearsal", f"{count(steps, 'step')} passed{stale}", "warn" if stale else "good")


def _checks(report: Report) -> Fact:
    if report.checks is None:
        return Fact("checks", "not known", "warn")
    failed = report.checks.failed
    ran = [check for check in report.checks.checks if check.result in ("passed", "failed")]
    if failed:
        worst = "bad" if any(check.severity == "error" for check in failed) else "warn"
        return Fact("checks", f"{len(failed)} of {len(ran)} found violations", worst)
    total = count(len(report.checks.checks), "check")
    if not ran:
        return Fact("checks", f"{total} will run")
    return Fact("checks", f"{len(ran)} of {total} ran and passed", "good")


def seconds(time: str | None) -> str:
    """A time of the database's to the second."""
    return "" if time is None else time[:19].replace("T", " ")


def duration(milliseconds: float | None) -> str:
    if milliseconds is None:
        return ""
    if milliseconds < 1000:
        return f"{milliseconds:.{1 if milliseconds < 10 else 0}f} ms"
    return f"{milliseconds / 1000:.2f} s"


def heavy(statement: StatementReport) -> bool:
    """Does it lock more than an application's own statements do, write something anew, or have a remark?"""
    strong = any(lock.mode not in ORDINARY for lock in statement.locks)
    return bool(strong or statement.rewrites or statement.note)


def direction(statement: StatementReport) -> str:
    return "apply" if statement.direction is Direction.APPLY else "rollback"


def place(statement: StatementReport) -> str:
    return f"{PurePath(statement.file).name}:{statement.line}"


def outcome(steps: Sequence[Step]) -> str:
    """``passed``, or what is not, of the steps of one migration in one dialect."""
    failed = [step.name for step in steps if step.status == "failed"]
    if failed:
        return f"\N{BALLOT X} failed: {', '.join(failed)}"
    if not any(step.status == "passed" for step in steps):
        return "not rehearsed"
    warnings = sum(len(step.findings) for step in steps)
    skipped = any(step.status == "skipped" for step in steps)
    words = ["\N{CHECK MARK} passed", *(["irreversible"] if skipped else [])]
    return ", ".join([*words, *([count(warnings, "warning")] if warnings else [])])


def times(steps: Sequence[Step]) -> str:
    """How long each step took."""
    return ", ".join(f"{step.name} {duration(step.duration_ms)}" for step in steps if step.duration_ms)


def before_and_after(difference: Difference, cells: int) -> tuple[str, str]:
    """An object's SQL before the change and after it, in so many characters; empty where it is not there."""
    return shortened(difference.expected or "", cells), shortened(difference.found or "", cells)
