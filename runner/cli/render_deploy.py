"""A deploy -> what a person or a program reads. Pure functions; nothing here prints."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from runner.cli.layout import count, duration
from runner.cli.render import run_text
from runner.cli.render_backup import size_text
from runner.domain.deploy import DeployReport

_NAMED = 6  # so many tables in a line


def deploy_text(report: DeployReport) -> str:
    """What was done, in the order in which it was done, and the way back."""
    if report.run is None:
        return f"Nothing to do; the database is at {report.before.place}."
    lines = []
    if report.backup is not None and report.backup_bytes is not None:
        lines.append(f"Backup: {report.backup} ({size_text(report.backup_bytes)})")
    if report.rehearsal is not None:
        took = duration(report.rehearsal.locked_ms)
        lines.append(f"Rehearsed on a copy made from it: {count(len(report.rehearsal.outcomes), 'migration')}, {took}.")
    lines.append(run_text(report.run))
    lines += _rows_text(report.rows)
    lines.append(f"Took {duration(report.duration_ms)} in all. The way back, if it is needed:")
    lines += [f"  {way}" for way in report.way_back]
    return "\n".join(lines)


def deploy_data(report: DeployReport) -> dict[str, Any]:
    run = report.run
    return {
        "changed": report.changed,
        "applied": [{"id": one.id, "duration_ms": one.duration_ms} for one in (run.outcomes if run else ())],
        "version_before": report.before.version,
        "version": report.after.version,
        "preflight": [
            {"id": one.id, "severity": str(one.severity), "message": one.message} for one in report.preflight
        ],
        "warnings": list(report.warnings),
        "backup": None if report.backup is None else {"file": str(report.backup), "size": report.backup_bytes},
        "rehearsal": None
        if report.rehearsal is None
        else {
            "applied": [{"id": one.id, "duration_ms": one.duration_ms} for one in report.rehearsal.outcomes],
            "locked_ms": report.rehearsal.locked_ms,
        },
        "verify": None if report.verify is None else report.verify.as_dict(),
        "recovery": None
        if report.recovery is None
        else {
            "action": str(report.recovery.action),
            "rolled_back": [{"id": one.id, "duration_ms": one.duration_ms} for one in report.recovery.rolled_back],
            "problem": report.recovery.problem,
        },
        "rows": {table: {"before": rows[0], "after": rows[1]} for table, rows in report.rows.items()},
        "way_back": list(report.way_back),
        "duration_ms": report.duration_ms,
    }


def _rows_text(rows: Mapping[str, tuple[int | None, int | None]]) -> list[str]:
    """New tables and gone ones in a line each, then every table that has other rows than before."""
    new = {table: after or 0 for table, (before, after) in rows.items() if before is None}
    gone = {table: before or 0 for table, (before, after) in rows.items() if after is None}
    kept = {table: (was, now) for table, (was, now) in rows.items() if was is not None and now is not None}
    lines = [f"{count(len(new), 'new table')}: {_named(new)}."] if new else []
    lines += [f"{count(len(gone), 'table')} gone: {_named(gone)}."] if gone else []
    changed = [
        f"  {table}: {count(was, 'row')} before, {now} after" for table, (was, now) in kept.items() if was != now
    ]
    if kept and not changed:
        return [*lines, f"No row came or went in {count(len(kept), 'table')}."]
    return lines + changed


def _named(tables: Mapping[str, int]) -> str:
    """The first few by name, with their rows if they have any; the JSON has them all."""
    names = [f"{table} ({count(rows, 'row')})" if rows else table for table, rows in tables.items()]
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more
