"""What drift found, as text and as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from runner.domain.url import DatabaseUrl

if TYPE_CHECKING:
    from runner.catalog import Difference
    from runner.operations.drift import DriftReport


def drift_text(report: DriftReport, url: DatabaseUrl) -> str:
    """The differences, object by object, and how far the comparison can be relied on."""
    applied = len(report.standing.applied)
    made = f"what its {count(applied, 'applied migration')} make{'s' if applied == 1 else ''}"
    if not report.differences:
        lines = [f"No drift: {url} is {made}."]
    else:
        lines = [f"{url}: {count(len(report.differences), 'difference')} from {made}.", ""]
        for difference in report.differences:
            lines += difference_lines(difference)
    if report.notes:
        lines += ["", *(f"note: {note}" for note in report.notes)]
    return "\n".join(lines)


def drift_data(report: DriftReport) -> dict[str, Any]:
    return {
        "differences": [difference.as_dict() for difference in report.differences],
        "version": report.standing.version,
        "notes": list(report.notes),
    }


def difference_lines(
    difference: Difference, indent: str = "", labels: tuple[str, str] = ("expected", "found")
) -> list[str]:
    """A difference in a line, and what was expected and found in a line each."""
    width = max(map(len, labels))
    lines = [f"{indent}{difference.problem:<10}  {difference.object}"]
    for label, sql in zip(labels, (difference.expected, difference.found), strict=True):
        if sql is not None:
            lines.append(f"{indent}    {label:<{width}}  {one_line(sql)}")
    return lines


def one_line(sql: str, length: int = 160) -> str:
    """A text for one line of a terminal."""
    text = " ".join(sql.split())
    return text if len(text) <= length else f"{text[: length - 4]} ..."


def count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
