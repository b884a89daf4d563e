"""Reports as text. Pure functions: values in, a string out; control characters in data are shown, not obeyed."""

from __future__ import annotations

import re
from collections.abc import Iterable

from verify.errors import VerifyError
from verify.model import Check, CheckResult, VerifyReport

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
_COLORS = {"ok": "32", "FAILED": "31", "warning": "33", "skipped": "2"}
_DETAIL_WIDTH = 200


def render_report(report: VerifyReport, *, color: bool, quiet: bool = False) -> str:
    """A line for each check, samples under those that found something, row counts, and a summary line.

    ``quiet`` leaves only the checks that found something, and is empty if none did; with a budget that was spent it
    says so below them.
    """
    shown = [result for result in report.checks if result.status == "failed" or not quiet]
    lines = [line for result in shown for line in _result_lines(result, color, _name_width(shown))]
    if quiet:
        return "\n".join([*lines, *([summary_line(report)] if lines and report.not_run else [])])
    return "\n".join([*lines, "", *_count_lines(report), "", summary_line(report)])


def summary_line(report: VerifyReport) -> str:
    """How many checks passed, found violations, were skipped: one sentence."""
    number = {status: sum(result.status == status for result in report.checks) for status in ("passed", "skipped")}
    not_run = report.not_run or 0
    errors = sum(result.violations for result in report.failed("error"))
    warnings = sum(result.violations for result in report.failed("warn")) - errors
    none = "INCOMPLETE: no violations so far" if not_run else "no violations"
    found = [_count(errors, "error"), _count(warnings, "warning")] if errors or warnings else [none]
    parts = [*found, f"{number['passed']} of {_count(len(report.checks), 'check')} passed"]
    if number["skipped"] > not_run:
        parts.append(f"{number['skipped'] - not_run} skipped")
    if not_run:
        parts.append(f"{not_run} not run, for the budget was spent")
    rows = sum(report.counts.values())
    return f"{', '.join(parts)}; {_count(rows, 'row')} in {_count(len(report.counts), 'table')}."


def render_list(checks: Iterable[Check], *, sql: bool = False) -> str:
    """The checks by name with what they say; with ``sql`` as a script that can be run by hand."""
    if not sql:
        return "\n".join(
            f"{check.severity:5}  {visible(check.name)}\n       {visible(check.summary)}" for check in checks
        )
    return "\n\n".join(
        f"-- {visible(check.name)} ({check.severity}): {visible(check.summary)}\n{check.sql};" for check in checks
    )


def render_error(error: VerifyError, *, color: bool) -> str:
    """The message and, below it, what to do next."""
    lines = [f"{_painted('error:', '31', color)} {visible(str(error))}"]
    if error.hint:
        lines.append(f"  {visible(error.hint)}")
    return "\n".join(lines)


def visible(text: str) -> str:
    """The text on one line, safe for a terminal: control and direction characters as ``\\x1b`` or ``\\u202e``."""
    return _CONTROL.sub(lambda match: match.group().encode("unicode_escape").decode(), text)


def _result_lines(result: CheckResult, color: bool, width: int) -> list[str]:
    word = {"passed": "ok", "skipped": "skipped", "failed": "FAILED" if result.severity == "error" else "warning"}
    status = word[result.status]
    head = f"{_painted(f'{status:7}', _COLORS[status], color)}  {visible(result.name):{width}}"
    if result.status == "skipped":
        return [f"{head}  {visible(result.reason or '')}"]
    lines = [f"{head}  {result.violations:>7,}  {result.duration_ms:>8.1f} ms"]
    for one in result.sample:
        where = f"{visible(one.table)}  {visible(one.key)}" if one.key else visible(one.table)
        lines.append(f"           {where}: {_shortened(visible(one.detail))}")
    more = result.violations - len(result.sample)
    if more > 0:
        lines.append(f"           and {more:,} more")
    return lines


def _count_lines(report: VerifyReport) -> list[str]:
    counts = report.counts
    if not report.all_counted and not counts:
        return ["The rows were not counted."]
    if not counts:
        return ["The database has no tables."]
    width = max(len(visible(table)) for table in counts)
    title = "Rows" if report.all_counted else "Rows (of some tables only)"
    return [title, *(f"  {visible(table):{width}}  {rows:>12,}" for table, rows in counts.items())]


def _name_width(results: list[CheckResult]) -> int:
    # One name of 200 characters must not push all numbers off the screen.
    return min(64, max((len(visible(result.name)) for result in results), default=0))


def _shortened(text: str) -> str:
    return text if len(text) <= _DETAIL_WIDTH else f"{text[:_DETAIL_WIDTH]}..."


def _count(number: int, word: str) -> str:
    return f"{number:,} {word}{'' if number == 1 else 's'}"


def _painted(text: str, code: str, color: bool) -> str:
    return f"\x1b[{code}m{text}\x1b[0m" if color else text
