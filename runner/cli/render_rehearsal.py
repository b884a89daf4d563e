"""What a rehearsal found, as text, as JSON and as JUnit's test cases."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from runner.cli.junit import Case, Suite, junit_suites
from runner.cli.render_drift import count, difference_lines, one_line
from runner.domain.outcome import Direction
from runner.rehearsal.statements import ORDINARY

if TYPE_CHECKING:
    from runner.catalog.parity import Disparity
    from runner.rehearsal.model import Finding, RehearsalReport, StatementReport, Step


def rehearsal_text(report: RehearsalReport, *, color: bool, verbose: bool) -> str:
    """A line that sums it up, a table of steps, what was found, and what PostgreSQL's statements do."""
    lines = [_summary(report), ""]
    if report.steps:
        lines += [*_table(report, color), ""]
    lines += _findings(report, color)
    lines += _statements(report, verbose)
    lines += [f"note: {note}" for note in report.notes]
    return "\n".join(lines).rstrip()


def _summary(report: RehearsalReport) -> str:
    migrations = len({step.id for step in report.steps})
    servers = " and ".join(report.servers.values())
    rows = " and ".join(f"{sum(tables.values())}" for tables in report.rows.values())
    over = f", over {rows} rows" if rows else ""
    failed = len(report.failed)
    verdict = f"{count(failed, 'step')} of {len(report.steps)} failed" if failed else "all steps passed"
    return f"Rehearsed {count(migrations, 'migration')} on {servers}{over}: {verdict}."


def _table(report: RehearsalReport, color: bool) -> list[str]:
    """A row for each migration, with what became of it in each dialect, and between them."""
    columns: list[str | None] = [*report.servers, *([None] if any(one.dialect is None for one in report.steps) else [])]
    rows = [["migration", *(name or "parity" for name in columns)]]
    for id in dict.fromkeys(sorted(step.id for step in report.steps)):
        found = [[step for step in report.steps if (step.id, step.dialect) == (id, column)] for column in columns]
        rows.append([id, *map(_cell, found)])
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = []
    for row in rows:
        cells = [text.ljust(width) for text, width in zip(row, widths, strict=True)]
        lines.append("  ".join(_painted(cell) if color else cell for cell in cells).rstrip())
    return lines


def _cell(steps: list[Step]) -> str:
    """``ok``, or what is not."""
    failed = [step.name for step in steps if step.status == "failed"]
    if failed:
        return f"FAILED: {', '.join(failed)}"
    if not any(step.status == "passed" for step in steps):
        return "-"
    skipped = [step for step in steps if step.status == "skipped"]
    warnings = sum(len(step.findings) for step in steps)
    words = ["ok", *(["irreversible"] if skipped else []), *([count(warnings, "warning")] if warnings else [])]
    return ", ".join(words)


def _painted(cell: str) -> str:
    text = cell.strip()
    paint = "31" if text.startswith("FAILED") else "33" if text.startswith("ok,") else "32" if text == "ok" else None
    return f"\033[{paint}m{cell}\033[0m" if paint else cell


def _findings(report: RehearsalReport, color: bool) -> list[str]:
    lines = []
    told: set[Disparity] = set()
    for step in report.steps:
        for finding in step.findings:
            shown = [one for one in finding.disparities if one not in told]
            if finding.disparities and not shown:
                continue  # as before, and told then
            told |= set(shown)
            word = "error" if finding.severity == "error" else "warning"
            if color:
                word = f"\033[{'31' if word == 'error' else '33'}m{word}\033[0m"
            place = f"{finding.file}:{finding.line}: " if finding.line else f"{finding.file}: " if finding.file else ""
            lines.append(f"{word}: {_step_name(step)}: {place}{finding.message}")
            if finding.statement:
                lines += [f"    {line}" for line in finding.statement.splitlines()[:6]]
            for difference in finding.differences:
                lines += difference_lines(difference, "    ")
            for disparity in shown:
                lines += _disparity_lines(disparity)
            lines.append("")
    return lines


def _step_name(step: Step) -> str:
    return f"{step.dialect + ' ' if step.dialect else ''}{step.id} {step.name}"


def _disparity_lines(disparity: Disparity) -> list[str]:
    lines = [f"    {disparity.object}"]
    for dialect, sql in (("sqlite", disparity.sqlite), ("postgres", disparity.postgres)):
        lines.append(f"        {dialect:<8}  {'not there' if sql is None else one_line(sql)}")
    return lines


def _statements(report: RehearsalReport, verbose: bool) -> list[str]:
    """What applying locks more than an application's own statements do, or writes anew; ``verbose``: all there is."""
    lines = []
    for statement in report.statements:
        locks = [lock for lock in statement.locks if verbose or lock.mode not in ORDINARY]
        going_up = statement.direction is Direction.APPLY
        if not verbose and not (going_up and (locks or statement.rewrites or statement.note)):
            continue
        place = f"{statement.file.name}:{statement.line}"
        lines.append(f"  {place}  {statement.duration_ms:.1f} ms  {one_line(statement.sql, 90)}")
        lines += [f"      locks {lock.relation}: {lock.mode}, which blocks {lock.blocks}" for lock in locks]
        lines += [f"      writes {name} anew" for name in statement.rewrites]
        lines += [f"      {statement.note}"] if statement.note else []
    if not lines:
        return []
    head = "What its statements do on PostgreSQL to tables that were there before"
    return [f"{head}:" if verbose else f"{head} (-v: rollbacks too):", *lines, ""]


def rehearsal_data(report: RehearsalReport) -> dict[str, Any]:
    return {
        "passed": report.passed,
        "servers": dict(report.servers),
        "steps": [_step_data(step, report) for step in report.steps],
        "statements": [_statement_data(statement) for statement in report.statements],
        "rows": {dialect: dict(tables) for dialect, tables in report.rows.items()},
        "notes": list(report.notes),
        "files": dict(report.files),
    }


def _step_data(step: Step, report: RehearsalReport) -> dict[str, Any]:
    return {
        "dialect": step.dialect,
        "id": step.id,
        "version": report.versions.get(step.id),
        "step": step.name,
        "status": step.status,
        "duration_ms": step.duration_ms,
        "reason": step.reason,
        "findings": [_finding_data(finding) for finding in step.findings],
    }


def _finding_data(finding: Finding) -> dict[str, Any]:
    return {
        "code": finding.code,
        "severity": finding.severity,
        "message": finding.message,
        "file": None if finding.file is None else str(finding.file),
        "line": finding.line,
        "statement": finding.statement,
        "differences": [difference.as_dict() for difference in finding.differences],
        "disparities": [
            {
                "kind": one.kind,
                "name": one.name,
                "sqlite": one.sqlite,
                "postgres": one.postgres,
                "certain": one.certain,
            }
            for one in finding.disparities
        ],
    }


def _statement_data(statement: StatementReport) -> dict[str, Any]:
    return {
        "id": statement.id,
        "direction": str(statement.direction),
        "file": str(statement.file),
        "line": statement.line,
        "sql": statement.sql,
        "duration_ms": statement.duration_ms,
        "locks": [{"relation": lock.relation, "mode": lock.mode, "blocks": lock.blocks} for lock in statement.locks],
        "rewrites": list(statement.rewrites),
        "note": statement.note,
    }


def rehearsal_junit(report: RehearsalReport) -> str:
    """A suite for each dialect and one for parity; a test case for each step."""
    suites = []
    for name in (*report.servers, "parity"):
        dialect = None if name == "parity" else name
        steps = [step for step in report.steps if step.dialect == dialect]
        warnings = [
            f"{_step_name(step)}: {finding.message}"
            for step in steps
            for finding in step.findings
            if finding.severity == "warn"
        ]
        if steps:
            suites.append(Suite(f"rehearse {name}", [_case(step) for step in steps], "\n".join(warnings)))
    return junit_suites(suites)


def _case(step: Step) -> Case:
    failure = None
    if step.errors:
        lines = [line for finding in step.errors for line in _failure_lines(finding)]
        failure = (one_line("; ".join(finding.message for finding in step.errors), 300), "\n".join(lines))
    return Case(step.name, step.id, failure, step.duration_ms / 1000, step.reason if step.status == "skipped" else None)


def _failure_lines(finding: Finding) -> list[str]:
    place = f"{finding.file}:{finding.line}: " if finding.line else f"{finding.file}: " if finding.file else ""
    lines = [f"{place}{finding.code}: {finding.message}"]
    for difference in finding.differences:
        lines += difference_lines(difference, "  ")
    for disparity in finding.disparities:
        lines += _disparity_lines(disparity)
    return lines
