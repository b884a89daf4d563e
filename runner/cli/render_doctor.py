"""``doctor``'s report as one screen of text, and as JSON. Pure functions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from runner.doctor.patient import size_text
from runner.domain.finding import DoctorReport, Finding, Severity
from runner.domain.url import DatabaseUrl

_GRAVEST_FIRST = (Severity.ERROR, Severity.WARN, Severity.INFO, Severity.OK)
_COLORS = {Severity.ERROR: "31", Severity.WARN: "33", Severity.OK: "32"}
_ALIKE = 3  # findings of one id that are shown, and tables
_TABLES = 8
_CURE_LINES = 4  # after the first


def doctor_text(report: DoctorReport, url: DatabaseUrl, *, color: bool, quiet: bool, verbose: bool) -> str:
    """The gravest first, each with its cure; of many alike the first few unless ``verbose``. Quiet: the bad."""
    shown = _GRAVEST_FIRST[:2] if quiet else _GRAVEST_FIRST
    findings = [finding for severity in shown for finding in report.of(severity)]
    if quiet and not findings:
        return ""
    lines = [f"{url}", ""]
    alike: Counter[tuple[str, Severity]] = Counter()
    for finding in findings:
        alike[finding.id, finding.severity] += 1
        if verbose or alike[finding.id, finding.severity] <= _ALIKE:
            lines += _finding(finding, color, None if verbose else _CURE_LINES)
        if finding.id == "tables" and not quiet:
            lines += _tables(finding, None if verbose else _TABLES)
    more = [f"{count - _ALIKE} more of {id}" for (id, _), count in alike.items() if count > _ALIKE]
    if more and not verbose:
        lines.append(f"and {', '.join(more)} (all of them: -v)")
    return "\n".join([*lines, "", _summary(report)])


def _finding(finding: Finding, color: bool, limit: int | None) -> list[str]:
    word = f"{finding.severity:<5}"
    if color and finding.severity in _COLORS:
        word = f"\033[{_COLORS[finding.severity]}m{word}\033[0m"
    lines = [f"{word}  {finding.id}: {finding.message}"]
    if finding.cure is not None:
        first, *rest = finding.cure.text.splitlines()
        mark = {"command": "$ ", "sql": "", "words": ""}[finding.cure.kind]
        lines.append(f"       cure: {mark}{first}")
        shown = (
            rest if limit is None or len(rest) <= limit else [*rest[: limit - 1], f"... {len(rest) - limit + 1} more"]
        )
        lines += [f"             {line}" for line in shown]
    return lines


def _tables(finding: Finding, limit: int | None) -> Iterator[str]:
    tables = finding.data["tables"]
    width = max((len(table["name"]) for table in tables[:limit]), default=0)
    for table in tables[:limit]:
        rows = "?" if table["rows"] is None else f"{'' if table['exact'] else 'about '}{table['rows']:,}"
        size = "" if table["bytes"] is None else size_text(table["bytes"])
        yield f"       {table['name']:<{width}}  {rows:>14} rows  {size:>8}".rstrip()
    if limit is not None and len(tables) > limit:
        yield f"       and {len(tables) - limit} smaller ones"


def _summary(report: DoctorReport) -> str:
    counts = [(len(report.of(severity)), word) for severity, word in zip(_GRAVEST_FIRST, _WORDS, strict=True)]
    return ", ".join(f"{number} {word}{'s' if number != 1 and word != 'ok' else ''}" for number, word in counts)


_WORDS = ("error", "warning", "note", "ok")


def doctor_data(report: DoctorReport) -> dict[str, Any]:
    tables = [table for finding in report.named({"tables"}) for table in finding.data["tables"]]
    return {
        "probes": list(report.probes),
        "counts": {str(severity): len(report.of(severity)) for severity in _GRAVEST_FIRST},
        "findings": [_data(finding) for finding in report.findings],
        "tables": tables,
    }


def _data(finding: Finding) -> dict[str, Any]:
    cure = finding.cure
    return {
        "id": finding.id,
        "severity": str(finding.severity),
        "subject": finding.subject,
        "message": finding.message,
        "cure": None if cure is None else cure.text,
        "cure_kind": None if cure is None else cure.kind,
        "data": {} if finding.id == "tables" else dict(finding.data),
    }
