"""The report as GitHub's Markdown, short enough for a comment on a pull request."""

from __future__ import annotations

from collections.abc import Callable

from runner.report.html_sql import NAMES, told
from runner.report.markdown_parts import code, fitting, folded, not_shown, size, table, words
from runner.report.markdown_sql import sql
from runner.report.model import Report
from runner.report.schema import Mark, mark_of
from runner.report.text import count, shortened
from runner.report.words import (
    OPERATION,
    REHEARSE,
    STATE_SIGN,
    before_and_after,
    direction,
    duration,
    heavy,
    outcome,
    place,
    seconds,
    summary,
    times,
)

#: GitHub takes 65,536 characters; bytes are never fewer, and who posts it may add something of their own.
LIMIT = 60_000

_TONE = {"good": "✅", "warn": "⚠️", "bad": "❌", "plain": "▫️"}


def page(report: Report, limit: int = LIMIT) -> str:
    """The whole report in at most ``limit`` bytes. What is cut is named; the page in HTML has all of it."""
    parts = [_head(report)]
    left = limit - size(parts[0]) - 200
    sections: tuple[Callable[[Report, int], str], ...] = (
        _standing, _lint, _schema, _rehearsal, _failed_checks, sql, _checks, _rows, _checksums, _history,
    )  # fmt: skip
    cut = []
    for section in sections:
        text = section(report, left)
        if not text:
            continue
        if size(text) > left:
            cut.append(text.partition("\n")[0].removeprefix("## "))
            continue
        parts.append(text)
        left -= size(text) + 2
    if cut:
        parts.append(f"*Left out, for GitHub takes no longer text: {', '.join(cut)}. The report in HTML has it.*")
    return "\n\n".join(parts) + "\n"


def _head(report: Report) -> str:
    lines = [f"# Migration report: {code(report.name)}", ""]
    engine = f" on {words(report.engine)}" if report.engine else ""
    lines += [f"{code(report.database)}{engine}. Made {report.made_at} UTC by maxwell-db {report.tool_version}.", ""]
    if report.refused:
        lines += ["> [!CAUTION]", "> **The folder is refused.** Nothing would run before this is put right:"]
        lines += [*(f"> - {words(problem)}" for problem in report.refused[:20]), ""]
    rows = [[f"{_TONE[fact.tone]} {fact.name}", words(fact.text)] for fact in summary(report)]
    return "\n".join([*lines, *table(("", ""), rows)])


def _note(report: Report, section: str) -> list[str]:
    text = report.notes.get(section)
    return [f"> {words(text)}", ""] if text else []


def _standing(report: Report, left: int) -> str:
    items = report.standing.migrations
    shown = items[-40:]
    rows = [
        [
            code(item.id),
            f"{STATE_SIGN[item.state]} {item.state}",
            item.version or "",
            seconds(item.applied_at),
            "yes" if item.reversible else "no",
        ]
        for item in shown
    ]
    earlier = [f"*{count(len(items) - len(shown), 'earlier migration')} not shown.*", ""] if len(items) > 40 else []
    lines = ["## Where the database stands", "", *_note(report, "standing"), *earlier]
    return "\n".join([*lines, *table(("migration", "state", "version", "applied (UTC)", "way back"), rows)])


def _lint(report: Report, left: int) -> str:
    if report.lint is None or not report.lint.findings:
        return ""
    rows = [
        [
            "❌ error" if one.severity == "error" else "⚠️ warning",
            code(f"{one.file.name}:{one.line}"),
            f"{words(one.message)} ({code(one.rule)})",
            words(one.hint),
        ]
        for one in sorted(report.lint.findings, key=lambda one: one.severity)
    ]
    kept, more = fitting(rows, min(left // 3, 12_000))
    lines = table(("severity", "where", "what", "what to do"), kept)
    return "\n".join(["## Lint", "", *lines, *not_shown(more, "finding")])


def _schema(report: Report, left: int) -> str:
    lines = ["## Schema", "", *_note(report, "schema")]
    if report.schema is None:
        return "\n".join(lines).rstrip()
    if not report.schema.differences:
        return "\n".join([*lines, f"{count(len(report.schema.tables), 'table')}, none touched by the change."])
    rows = []
    for difference in report.schema.differences:
        mark = mark_of(difference)
        before, after = (code(sql) for sql in before_and_after(difference, 200))
        rows.append(
            [
                f"{mark.sign} {'new' if mark is Mark.ADDED else mark}",
                f"{difference.kind} {code(difference.name)}",
                f"before: {before}<br>after: {after}" if before and after else before or after,
            ]
        )
    kept, more = fitting(rows, min(left // 3, 12_000))
    return "\n".join([*lines, *table(("change", "object", "as SQL"), kept), *not_shown(more, "object")])


def _rehearsal(report: Report, left: int) -> str:
    lines = ["## Rehearsal", "", *_note(report, "rehearsal")]
    found = report.rehearsed
    if found is None:
        return "\n".join([*lines, f"No rehearsal was made. To make one: `{REHEARSE}`"]) if report.changes else ""
    lines += [f"{words(found.source)}, on {words(' and '.join(found.report.servers.values()))}.", ""]
    if found.stale:
        lines += [f"> ⚠️ These files were others then: {', '.join(map(code, found.stale))}", ""]
    columns = (*found.report.servers, None)
    rows = []
    for change in report.changes:
        steps = found.steps_of(change)
        mine = [[step for step in steps if step.dialect == dialect] for dialect in columns]
        cells = [words(outcome(some) + (f" ({took})" if (took := times(some)) else "")) for some in mine]
        rows.append([code(change.id), *cells])
    kept, more = fitting(rows, min(left // 4, 10_000))
    names = [NAMES[dialect] for dialect in found.report.servers]
    lines += [*table(("migration", *names, "parity"), kept), *not_shown(more, "migration")]
    problems = [
        [
            "❌ error" if one.severity == "error" else "⚠️ warning",
            f"{NAMES[step.dialect] if step.dialect else 'both'} {code(step.id)} {words(step.name)}",
            words(shortened(one.message, 600)),
        ]
        for step in found.report.steps
        for one in step.findings
    ]
    kept, more = fitting(problems, min(left // 5, 8_000))
    lines += ["", *table(("severity", "step", "what"), kept), *not_shown(more, "finding")] if problems else []
    measured = [
        [code(place(one)), direction(one), duration(one.duration_ms), words(told(one).partition("; ")[2])]
        for change in report.changes
        for one in found.statements_of(change)
        if heavy(one)
    ]
    kept, more = fitting(measured, min(left // 5, 8_000))
    if measured:
        lines += ["", "What statements do on PostgreSQL to tables that were there before:", ""]
        lines += [*table(("statement", "of", "took", "what"), kept), *not_shown(more, "statement")]
    return "\n".join(lines)


def _failed_checks(report: Report, left: int) -> str:
    if report.checks is None or not report.checks.failed:
        return ""
    rows = [
        [code(check.name), check.severity, str(check.violations), words(shortened(check.detail, 300))]
        for check in report.checks.failed
    ]
    kept, more = fitting(rows, min(left // 4, 8_000))
    lines = table(("check", "severity", "violations", "the first"), kept)
    return "\n".join(["## Checks that found violations", "", *lines, *not_shown(more, "check")])


def _checks(report: Report, left: int) -> str:
    if report.checks is None:
        return ""
    rows = [
        [code(check.name), check.severity, check.result, "new" if check.new else "", words(check.detail)]
        for check in report.checks.checks
    ]
    kept, more = fitting(rows, min(left - 400, 8_000))
    title = f"{count(len(report.checks.checks), 'check')} after the change"
    lines = ["## Checks", "", *_note(report, "checks"), words(report.checks.ran), ""]
    shown = table(("check", "severity", "last result", "", ""), kept)
    return "\n".join([*lines, *folded(title, [*shown, *not_shown(more, "check")])])


def _rows(report: Report, left: int) -> str:
    if report.counts is None:
        return "\n".join(["## Rows", "", *_note(report, "rows")]).rstrip() if report.notes.get("rows") else ""
    rows = [[code(name), f"{number:,}"] for name, number in report.counts.items()]
    kept, more = fitting(rows, min(left - 400, 6_000))
    title = f"{count(len(rows), 'table')}, {count(sum(report.counts.values()), 'row')}"
    return "\n".join(["## Rows", "", *folded(title, [*table(("table", "rows"), kept), *not_shown(more, "table")])])


def _checksums(report: Report, left: int) -> str:
    rows = [
        [code(script.path.name), NAMES[dialect], f"`{script.sha256}`"]
        for change in report.changes
        for dialect, _, script in change.scripts()
    ]
    if not rows:
        return ""
    kept, more = fitting(rows, min(left - 400, 6_000))
    shown = table(("file", "dialect", "SHA-256"), kept)
    return "\n".join(["## Checksums", "", *folded(count(len(rows), "file"), [*shown, *not_shown(more, "file")])])


def _history(report: Report, left: int) -> str:
    if not report.history:
        return ""
    rows = [
        [
            seconds(entry.at),
            OPERATION.get(entry.operation, entry.operation),
            code(entry.id),
            code(f"{entry.username}@{entry.hostname}"),
            entry.verify or "not run",
        ]
        for entry in reversed(report.history)
    ]
    shown = table(("when (UTC)", "what", "migration", "who", "checks"), rows)
    return "\n".join(["## History", "", *folded("The last that was done", shown)])
