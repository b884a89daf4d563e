"""The files of a change as Markdown: folded, fenced, and cut where there is no room."""

from __future__ import annotations

import re

from runner.domain.migration import Script
from runner.report.html_sql import NAMES
from runner.report.markdown_parts import html, size, words
from runner.report.model import DIALECTS, Change, Report
from runner.report.text import count, visible


def sql(report: Report, left: int) -> str:
    """Each migration folded; as many as there is room for, the last one cut where need be."""
    if not report.changes:
        return ""
    parts = ["## The SQL"]
    room = left - 6_000  # for what comes after it
    shown = 0
    for change in report.changes:
        text = _change(change, max(room - 600, 0))
        if size(text) > room:
            break
        parts.append(text)
        room -= size(text) + 2
        shown += 1
    rest = len(report.changes) - shown
    if rest:
        parts.append(f"*{count(rest, 'migration')} more than GitHub has room for. The report in HTML has them.*")
    return "\n\n".join(parts)


def _change(change: Change, room: int) -> str:
    scripts = sum(1 for _ in change.scripts())
    each = room // max(scripts, 1)
    lines = [f"<details><summary><code>{html(change.id)}</code></summary>", ""]
    for dialect in DIALECTS:
        migration = change.files.get(dialect)
        if migration is None:
            lines += [f"**{NAMES[dialect]}**: {words(change.missing.get(dialect, 'none'))}", ""]
            continue
        lines += [f"**{NAMES[dialect]}**", "", *_fence(migration.apply, each), ""]
        if migration.rollback is not None:
            lines += [f"{NAMES[dialect]}, rollback", "", *_fence(migration.rollback, each), ""]
        else:
            lines += [f"No rollback: {words(migration.irreversible or 'it is not there')}", ""]
    return "\n".join([*lines, "</details>"])


def _fence(script: Script, room: int) -> list[str]:
    """The text as a block of code, cut at a line where it is longer than ``room`` bytes."""
    text = visible(script.text).rstrip("\n")
    fence = "`" * max(3, 1 + max((len(run) for run in re.findall(r"`+", text)), default=0))
    lines, kept, used = text.split("\n"), [], 2 * len(fence) + 40
    for line in lines:
        used += size(line) + 1
        if used > room:
            break
        kept.append(line)
    rest = len(lines) - len(kept)
    return [f"{fence}sql", *kept, fence, *([f"*Cut: {count(rest, 'line')} more.*"] if rest else [])]
