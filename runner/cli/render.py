"""Values -> what a person or a program reads. Pure functions; nothing here prints."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from runner.cli.layout import count, duration, seconds, table
from runner.domain.outcome import Direction, RunReport
from runner.errors import MaxwellError, SchemaError, ViolationsFound

if TYPE_CHECKING:
    from runner.catalog import Difference
    from runner.history import HistoryEntry
    from runner.operations.comparison import Comparison
    from runner.operations.repair import RepairReport
    from runner.operations.stamp import StampReport
    from runner.operations.unlock import UnlockReport
    from verify.model import Check, VerifyReport

_MISMATCHES = 20  # differences of schemas that an error shows


def history_text(entries: Sequence[HistoryEntry]) -> str:
    if not entries:
        return "nothing was done yet"
    words = {"mark": "stamp", "unmark": "unstamp"}
    rows = [["when (UTC)", "what", "version", "migration", "who", "took", "checks", "sha256"]]
    for entry in entries:
        rows.append(
            [
                seconds(entry.at),
                words.get(entry.operation, entry.operation),
                entry.version or "",
                entry.id,
                f"{entry.username}@{entry.hostname}",
                "" if entry.duration_ms is None else duration(entry.duration_ms),
                entry.verify or "",
                (entry.apply_sha256 or "")[:12],
            ]
        )
    return "\n".join(table(rows, None))


def history_data(entries: Sequence[HistoryEntry]) -> dict[str, Any]:
    from dataclasses import asdict

    return {"history": [asdict(entry) for entry in entries]}


def run_text(report: RunReport) -> str:
    """What an apply or a rollback did, in a line or two."""
    at = f"at {report.standing.place}"
    if report.dry_run is not None:
        if not report.dry_run:
            return f"Nothing to do; the database is {at}."
        return "\n".join([f"Would apply {count(len(report.dry_run), 'migration')}:", *_indented(report.dry_run)])
    done = "applied" if report.direction is Direction.APPLY else "rolled back"
    if not report.changed:
        return f"Nothing to do; the database is {at}."
    total = duration(sum(outcome.duration_ms for outcome in report.outcomes))
    lines = [f"{count(len(report.outcomes), 'migration')} {done} in {total}; the database is now {at}."]
    if report.verify is not None:
        lines += verified(report.verify)
    return "\n".join(lines)


def verified(report: VerifyReport) -> list[str]:
    """What the checks said of a run that they let pass."""
    ran = [result for result in report.checks if result.status != "skipped"]
    found = [result for result in ran if result.status == "failed"]
    passed = f"{len(ran) - len(found)} of {count(len(ran), 'check')}" if found else f"all {count(len(ran), 'check')}"
    rows = f"{count(len(report.counts), 'table')}, {count(sum(report.counts.values()), 'row')}"
    lines = [f"Verified: {passed} passed; {rows}."]
    for result in found:
        reason = "was there before" if result.severity == "error" else "a warning"
        lines.append(f"  {result.name}: {count(result.violations, 'violation')} ({reason})")
    return lines


def run_data(report: RunReport) -> dict[str, Any]:
    key = "applied" if report.direction is Direction.APPLY else "rolled_back"
    data: dict[str, Any] = {
        "changed": report.changed,
        key: [{"id": outcome.id, "duration_ms": outcome.duration_ms} for outcome in report.outcomes],
        "version": report.standing.version,
        "verify": report.verify.as_dict() if report.verify else None,
        "created": report.created,
    }
    if report.dry_run is not None:
        data["dry_run"] = list(report.dry_run)
    return data


def stamp_text(report: StampReport) -> str:
    if not report.changed:
        return f"Nothing to do; the marks already say {report.standing.place}."
    lines = []
    if report.marked:
        lines += ["Recorded as applied, without running:", *_indented(report.marked)]
    if report.unmarked:
        lines += ["Recorded as not applied, without running:", *_indented(report.unmarked)]
    if report.comparison is not None:
        lines += compared_lines(report.comparison, report.standing.place)
    return "\n".join(lines)


def compared_lines(comparison: Comparison, place: str) -> list[str]:
    """How the database's schema compares with the one that the marks claim."""
    notes = [f"note: {note}" for note in comparison.notes]
    if not comparison.compared:
        return notes
    if not comparison.differences:
        return [f"The database has the schema of {place}.", *notes]
    from runner.cli.render_drift import difference_lines

    many = count(len(comparison.differences), "difference")
    lines = [f"The database differs from the schema of {place} all the same, in {many}:"]
    for difference in comparison.differences:
        lines += difference_lines(difference, "  ")
    return [*lines, *notes]


def stamp_data(report: StampReport) -> dict[str, Any]:
    return {
        "changed": report.changed,
        "stamped": list(report.marked),
        "unstamped": list(report.unmarked),
        "version": report.standing.version,
        "created": report.created,
        **compared_data(report.comparison),
    }


def closing_lines(closing: Sequence[str], left: Sequence[Difference]) -> list[str]:
    """The SQL that closes differences, to paste; and those for which there is no simple one."""
    lines = ["", "SQL that closes what a statement closes:", "", *closing, ""] if closing else []
    if closing and left:
        names = ", ".join(difference.object for difference in left)
        lines.append(f"It leaves: {names}")
    return lines


def closing_data(closing: Sequence[str], left: Sequence[Difference]) -> dict[str, Any]:
    return {"closing": list(closing), "left": [difference.object for difference in left]}


def compared_data(comparison: Comparison | None) -> dict[str, Any]:
    """``compared`` is null where there was nothing to compare."""
    return {
        "compared": comparison.compared if comparison else None,
        "differences": [difference.as_dict() for difference in comparison.differences] if comparison else [],
        "notes": list(comparison.notes) if comparison else [],
    }


def repair_text(report: RepairReport) -> str:
    if not report.repairs:
        return "Nothing to repair."
    return "\n".join(f"{'open' if one.open else 'settled'}  {one.id}: {one.found}" for one in report.repairs)


def repair_data(report: RepairReport) -> dict[str, Any]:
    return {
        "changed": report.changed,
        "repairs": [
            {"id": one.id, "state": str(one.state), "found": one.found, "settled": not one.open}
            for one in report.repairs
        ],
        "version": report.standing.version,
    }


def unlock_text(report: UnlockReport) -> str:
    if report.pid is None:
        return "Nothing to unlock: no yoyo run holds the database."
    return f"Removed the lock row of yoyo's pid {report.pid}, since {seconds(report.since)}."


def unlock_data(report: UnlockReport) -> dict[str, Any]:
    return {"changed": report.changed, "pid": report.pid, "since": report.since}


def check_data(check: Check) -> dict[str, Any]:
    return {
        "name": check.name,
        "kind": check.kind,
        "severity": check.severity,
        "summary": check.summary,
        "sql": check.sql,
    }


def error_text(error: MaxwellError) -> str:
    """What happened and where, the statement, what stays, and what to do next."""
    lines = [f"error: {error.place}{error.message}"]
    if isinstance(error, SchemaError):
        lines += _mismatch(error)
    if error.statement:
        shown = error.statement.splitlines()
        lines += [f"    {line}" for line in shown[:12]] + (["    ..."] if len(shown) > 12 else [])
    if error.note:
        lines.append(error.note)
    if error.outcomes:
        lines.append(f"committed: {', '.join(outcome.id for outcome in error.outcomes)}")
    if error.hint:
        lines.append(f"hint: {error.hint}")
    return "\n".join(lines)


def _mismatch(error: SchemaError) -> list[str]:
    from runner.cli.render_drift import difference_lines

    lines = [line for difference in error.differences[:_MISMATCHES] for line in difference_lines(difference, "  ")]
    if len(error.differences) > _MISMATCHES:
        lines.append(f"  and {len(error.differences) - _MISMATCHES} more (all of them: --json)")
    notes = [f"note: {note}" for note in error.notes]
    return [*lines, *notes, *closing_lines(error.closing, error.left)]


def error_data(command: str, error: MaxwellError) -> dict[str, Any]:
    """The failure's part of the JSON object, with what the run had already done."""
    data: dict[str, Any] = {"error": error.as_dict()}
    if command in ("apply", "rollback"):
        key = "applied" if command == "apply" else "rolled_back"
        data |= {
            "changed": bool(error.outcomes),
            key: [{"id": outcome.id, "duration_ms": outcome.duration_ms} for outcome in error.outcomes],
        }
    if error.deploy is not None:
        from runner.cli.render_deploy import deploy_data

        data |= deploy_data(error.deploy)
        data["applied"] = [{"id": outcome.id, "duration_ms": outcome.duration_ms} for outcome in error.outcomes]
    if isinstance(error, ViolationsFound) and error.report is not None:
        data["verify"] = error.report.as_dict()
    if isinstance(error, SchemaError):
        data |= {"differences": [difference.as_dict() for difference in error.differences], "notes": list(error.notes)}
        if error.closing or error.left:
            data |= closing_data(error.closing, error.left)
    return data


def _indented(ids: Iterable[str]) -> list[str]:
    return [f"  {id}" for id in ids]
