"""A transfer's report -> what a person or a program reads. Pure functions."""

from __future__ import annotations

from typing import Any

from runner.cli.layout import count, duration
from runner.cli.render import verified
from runner.transfer.outcome import TransferReport


def transfer_text(report: TransferReport) -> str:
    """What was found, group by group; and what was done, in a line or two."""
    lines: list[str] = []
    for one in report.findings:
        where = f"{one.table}.{one.column}" if one.column else one.table
        settled = f", settled: {one.action}" if one.action else ""
        lines.append(f"{where}: {one.reason}: {one.count} ({one.kind}{settled})")
        lines += [f"    {sample.key}: {sample.value}" if sample.key else f"    {sample.value}" for sample in one.sample]
        if one.count > len(one.sample):
            lines.append(f"    and {one.count - len(one.sample)} more")
    lines += [str(one) for one in report.differences]
    return "\n".join([*lines, *_done(report)])


def _done(report: TransferReport) -> list[str]:
    if report.thawed is not None:
        return ["The source may be written to again." if report.thawed else "The source is not frozen."]
    lines = []
    if report.tables and not report.differences:
        what = f"{count(len(report.tables), 'table')}, {count(report.rows, 'row')}"
        total = duration(sum(report.seconds.values()) * 1000)
        if report.dry_run:
            lines.append(f"Everything fits: {what}. Nothing was written.")
        elif report.changed and report.compared is False:
            lines.append(f"Transferred in {total}: {what}, at version {report.version}.")
            lines.append("Proven: rows and a checksum of each table and column are the same on both sides.")
        elif report.compared:
            lines.append(f"Source and target are the same: {what}, at version {report.version}.")
        if report.verify is not None and (report.changed or report.compared):
            lines += verified(report.verify)
    if report.lost:
        lines.append(f"What was lost on purpose is written down in {report.lost}.")
    if report.frozen:
        lines.append(f"The source is frozen: {count(report.frozen, 'table')} refuse each write (undo: --unfreeze).")
    return lines


def transfer_data(report: TransferReport, source: str) -> dict[str, Any]:
    return {
        "source": source,
        "changed": report.changed,
        "dry_run": report.dry_run,
        "version": report.version,
        "migrated": list(report.migrated),
        "findings": [one.as_dict() for one in report.findings],
        "rows": report.rows,
        "tables": {name: one.as_dict() for name, one in report.tables.items()},
        "differences": [one.as_dict() for one in report.differences],
        "verify": report.verify.as_dict() if report.verify else None,
        "frozen": report.frozen,
        "unfrozen": report.thawed,
        "lost": report.lost,
        "seconds": {name: round(value, 3) for name, value in report.seconds.items()},
    }
