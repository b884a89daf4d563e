"""The sections of the page about the change: its SQL, lint, rehearsal, checks."""

from __future__ import annotations

from runner.rehearsal.model import Finding as Shown
from runner.report.html_parts import details, name, sign, table
from runner.report.html_sql import NAMES, anchor, change_html
from runner.report.model import Check, Rehearsed, Report
from runner.report.text import count, escape, marked
from runner.report.words import REHEARSE, REHEARSE_BEFORE, direction, duration, heavy, outcome, place, times
from runner.rules.model import Finding

_CHECK_WIDTHS = (28, 10, 22, 40)


def changes(report: Report) -> str:
    if not report.changes:
        return "<p>Nothing is pending. <code>--after T</code> shows what came after a target.</p>"
    return "".join(change_html(report, change, number) for number, change in enumerate(report.changes, 1))


def lint(report: Report) -> str:
    found = report.lint
    if found is None:
        return "<p>There are no files to look at.</p>"
    squawk = {
        "ran": "squawk's rules for PostgreSQL were among them",
        "missing": "squawk is not installed, so its rules for PostgreSQL were not among them",
    }.get(found.squawk, "squawk had nothing to look at")
    hidden = f"; {count(found.suppressed, 'finding')} silenced in the files, with reasons" if found.suppressed else ""
    text = f"<p>{count(found.files, 'file')} looked at; {squawk}{hidden}.</p>"
    if not found.findings:
        return f"{text}<p>{sign('applied', chr(0x2713), 'no findings')}</p>"
    where = {
        str(script.path): (number, dialect, kind)
        for number, change in enumerate(report.changes, 1)
        for dialect, kind, script in change.scripts()
    }
    rows = [
        [
            sign("bad", "\N{BALLOT X}", "error") if one.severity == "error" else sign("warn", "!", "warning"),
            _place(one, where.get(str(one.file))),
            marked(one.message),
            name(one.rule),
            marked(one.hint),
        ]
        for one in sorted(found.findings, key=lambda one: one.severity)
    ]
    heads = ("severity", "where", "what", "rule", "what to do")
    return text + table("Findings", heads, rows, widths=(9, 25, 28, 14, 24))


def _place(finding: Finding, where: tuple[int, str, str] | None) -> str:
    text = f"<bdi>{marked(f'{finding.file}:{finding.line}')}</bdi>"
    return f'<a href="#{anchor(*where, finding.line)}">{text}</a>' if where else text


def rehearsal(report: Report) -> str:
    found = report.rehearsed
    if found is None:
        first, then = (f"<code>{escape(command)}</code>" for command in REHEARSE_BEFORE)
        return (
            f"<p>No rehearsal was made. To make one: <code>{REHEARSE}</code>; or one for many reports: "
            f"{first}, then {then}.</p>"
        )
    made = found.report
    over = " and ".join(f"{sum(tables.values()):,}" for tables in made.rows.values())
    rows = f", over {over} generated rows" if over else ""
    parts = [f"<p>{marked(found.source)}, on {marked(' and '.join(made.servers.values()))}{rows}.</p>"]
    if found.stale:
        names = ", ".join(name(one) for one in found.stale)
        parts.append(f'<p class="banner warn"><b>! These files were others then:</b> {names}</p>')
    parts += [f'<p class="hint">{marked(text)}</p>' for text in made.notes]
    parts.append(_steps(report, found))
    problems = [(step, one) for step in made.steps for one in step.findings]
    if problems:
        heads = ("severity", "step", "what")
        cells = [
            [
                sign("bad", "\N{BALLOT X}", "error") if one.severity == "error" else sign("warn", "!", "warning"),
                f"{NAMES[step.dialect] if step.dialect else 'both'} {name(step.id)} {escape(step.name)}",
                _problem(one),
            ]
            for step, one in problems
        ]
        parts.append(table("What the rehearsal found", heads, cells, widths=(9, 30, 61)))
    parts.append(_statements(report, found))
    return "".join(parts)


def _problem(one: Shown) -> str:
    at = f"<bdi>{marked(f'{one.file}:{one.line}')}</bdi>: " if one.file and one.line else ""
    differences = "".join(
        f"<li>{marked(difference.object)}: {marked(difference.problem)}</li>" for difference in one.differences
    )
    disparities = "".join(
        f"<li>{marked(each.object)}: SQLite {name(each.sqlite or 'not there')}, "
        f"PostgreSQL {name(each.postgres or 'not there')}</li>"
        for each in one.disparities
    )
    listed = f"<ul>{differences}{disparities}</ul>" if differences or disparities else ""
    return f"{at}{marked(one.message)}{listed}"


def _steps(report: Report, found: Rehearsed) -> str:
    ids = [change.id for change in report.changes] or list(dict.fromkeys(step.id for step in found.report.steps))
    rows = []
    for id in ids:
        steps = [step for step in found.report.steps if step.id == id]
        cells = []
        for dialect in (*found.report.servers, None):
            mine = [step for step in steps if step.dialect == dialect]
            took = times(mine)
            cells.append(f"{escape(outcome(mine))}{f'<br><small>{escape(took)}</small>' if took else ''}")
        rows.append([name(id), *cells])
    heads = ("migration", *(NAMES[dialect] for dialect in found.report.servers), "parity")
    return table("Up, down and up again", heads, rows)


def _statements(report: Report, found: Rehearsed) -> str:
    mine = [one for change in report.changes for one in found.statements_of(change)]
    if not mine:
        return ""
    noticed = [one for one in mine if heavy(one)]
    heads = ("statement", "file", "took", "locks that others wait for", "written anew")
    widths = (30, 24, 8, 26, 12)

    def row(index: int) -> list[str]:
        one = mine[index]
        locks = "".join(
            f"<li>{name(lock.relation)}: {escape(lock.mode)}, which blocks {marked(lock.blocks)}</li>"
            for lock in one.locks
        )
        return [
            name(" ".join(one.sql.split())[:120]),
            f"<bdi>{marked(place(one))}</bdi> ({direction(one)})",
            duration(one.duration_ms),
            f"<ul>{locks}</ul>" if locks else "none" if not one.note else marked(one.note),
            ", ".join(name(each) for each in one.rewrites) or "nothing",
        ]

    everything = [row(index) for index in range(len(mine))]
    text = (
        f"<p>{len(noticed)} of {count(len(mine), 'statement')} on PostgreSQL lock or rewrite what was there before.</p>"
        if noticed
        else f"<p>None of {count(len(mine), 'statement')} on PostgreSQL locks or rewrites what was there before.</p>"
    )
    strong = [everything[index] for index, one in enumerate(mine) if heavy(one)]
    first = table("What statements do on PostgreSQL to tables that were there before", heads, strong, widths=widths)
    rest = details("Every statement with its time", table("Every statement", heads, everything, widths=widths))
    return text + (first if noticed else "") + rest


def checks(report: Report) -> str:
    found = report.checks
    if found is None:
        return ""
    text = f"<p>{count(len(found.checks), 'check')} after the change. {marked(found.ran)}</p>"
    heads = ("check", "severity", "last result", "what it asks")
    failed = [_check(check) for check in found.failed]
    new = [_check(check) for check in found.checks if check.new and check.result != "failed"]
    others = [_check(check) for check in found.checks if not check.new and check.result != "failed"]
    parts = [text]
    if failed:
        parts.append(table("Checks that found violations", heads, failed, widths=_CHECK_WIDTHS))
    if new:
        title = f"{count(len(new), 'check')} that this change brings along"
        parts.append(details(title, table("Checks that come with the change", heads, new, widths=_CHECK_WIDTHS)))
    if others:
        title = f"{count(len(others), 'check')} that there were before" if new or failed else "All checks"
        parts.append(details(title, table("Checks that there were before", heads, others, widths=_CHECK_WIDTHS)))
    return "".join(parts)


def _check(check: Check) -> list[str]:
    tones = {"passed": ("applied", "\N{CHECK MARK}"), "failed": ("bad", "\N{BALLOT X}")}
    tone, mark = tones.get(check.result, ("unknown", "\N{EN DASH}"))
    result = sign(tone, mark, check.result)
    if check.violations:
        result += f": {count(check.violations, 'violation')}"
    detail = f"<br><small>{marked(check.detail)}</small>" if check.detail else ""
    return [name(check.name), escape(check.severity), result + detail, marked(check.summary or check.kind)]
