"""``adopt``'s report, as text and as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from runner.cli.render import closing_data, closing_lines, compared_data, compared_lines
from runner.operations.adopt import DROP

if TYPE_CHECKING:
    from runner.operations.adopt import AdoptReport


def adopt_text(report: AdoptReport) -> str:
    """What was recorded, what differs all the same, and what becomes of Alembic's table."""
    verb = "Would record" if report.dry_run else "Recorded"
    by = f" (Alembic's revision is {report.revision})" if report.revision else ""
    if report.marked:
        lines = [f"{verb} as applied, up to {report.place}{by}:", *(f"  {id}" for id in report.marked)]
    else:
        lines = [f"Nothing to record: the database is at base{by}."]
    comparison = report.comparison
    lines += compared_lines(comparison, report.place)
    lines += closing_lines(comparison.closing, comparison.left)
    if not report.dry_run:
        lines.append(f"Alembic's own table is left as it is. When nobody uses Alembic here any more: {DROP}")
    return "\n".join(lines)


def adopt_data(report: AdoptReport) -> dict[str, Any]:
    return {
        "changed": bool(report.marked) and not report.dry_run,
        "dry_run": report.dry_run,
        "revision": report.revision,
        "stamped": list(report.marked),
        "version": report.standing.version,
        **compared_data(report.comparison),
        **closing_data(report.comparison.closing, report.comparison.left),
        "drop": DROP,
    }
