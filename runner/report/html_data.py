"""The sections of the page about the database: standing, schema, rows, checksums, history."""

from __future__ import annotations

from runner.report.html_parts import details, name, sign, table
from runner.report.html_sql import NAMES
from runner.report.model import Report
from runner.report.schema import Mark, Schema, TablePart, mark_of, near
from runner.report.svg import picture
from runner.report.text import count, escape, marked
from runner.report.words import OPERATION, STATE_SIGN, before_and_after, duration, seconds

_MOST_DIFFERENCES = 400


def standing(report: Report) -> str:
    rows = [
        [
            name(item.id),
            sign(item.state, STATE_SIGN[item.state], item.state),
            escape(item.version or ""),
            f"<bdi>{marked(item.revision or '')}</bdi>",
            escape(seconds(item.applied_at)),
            escape(duration(item.duration_ms)),
            "yes" if item.reversible else "no",
        ]
        for item in report.standing.migrations
    ]
    at = f"At {report.standing.place}" if report.standing.applied else "At base: nothing is applied"
    pending = len(report.standing.pending)
    text = f"<p>{marked(at)}; {f'{pending} pending' if pending else 'nothing is pending'}.</p>"
    heads = ("migration", "state", "version", "revision", "applied (UTC)", "took", "way back")
    return text + table("Every migration, oldest first", heads, rows)


def schema(report: Report) -> str:
    merged = report.schema
    if merged is None:
        return ""
    if not merged.tables and not merged.differences:
        return "<p>There are no tables.</p>"
    legend = "".join(
        f"<li>{sign(mark, mark.sign, word)}</li>"
        for mark, word in ((Mark.ADDED, "new"), (Mark.CHANGED, "changed"), (Mark.DROPPED, "dropped"))
    )
    drawn = near(merged)
    parts = [
        f'<ul class="legend" aria-label="Signs">{legend}<li>an arrow points at the table that a key names</li></ul>',
        f'<div class="canvas" tabindex="0" role="region" aria-label="The schema as a picture">{picture(drawn)}</div>',
    ]
    rest = len(merged.tables) - len(drawn.tables)
    if rest:
        parts.append(
            f'<p class="hint">{count(rest, "table")} more that the change does not touch, and that no key of a touched '
            "one names, are not drawn.</p>"
        )
    if merged.differences:
        parts.append(_differences(merged))
    everything = table(
        "Every table with its columns and keys",
        ("table", "change", "columns", "foreign keys"),
        [_table(one) for one in merged.tables],
        widths=(18, 10, 44, 28),
    )
    return "".join([*parts, details("The picture in words", everything)])


def _differences(merged: Schema) -> str:
    rows = []
    for difference in merged.differences[:_MOST_DIFFERENCES]:
        mark = mark_of(difference)
        before, after = (name(sql) if sql else "" for sql in before_and_after(difference, 1000))
        word = "new" if mark is Mark.ADDED else str(mark)
        rows.append(
            [
                f"{escape(difference.kind)} {name(difference.name)}",
                sign(mark, mark.sign, word),
                f"before: {before}<br>after: {after}" if before and after else before or after,
            ]
        )
    rest = len(merged.differences) - len(rows)
    cut = f'<p class="cut">And {count(rest, "object")} more.</p>' if rest else ""
    heads = ("object", "change", "as SQL")
    return table("What the change does to the schema", heads, rows, widths=(28, 10, 62)) + cut


def _table(one: TablePart) -> list[str]:
    columns = []
    for column in one.columns:
        tags = [word for word, there in (("primary key", column.primary), ("foreign key", column.foreign)) if there]
        tags += [] if column.mark in (Mark.SAME, one.mark) else [_word(column.mark)]
        told = f" ({', '.join(tags)})" if tags else ""
        columns.append(f"<li>{name(column.name)} {marked(column.sql)}{told}</li>")
    keys = [
        f"<li>{marked(key.sql)}{'' if key.mark in (Mark.SAME, one.mark) else f' ({_word(key.mark)})'}</li>"
        for key in one.keys
    ]
    state = "" if one.mark is Mark.SAME else sign(one.mark, one.mark.sign, _word(one.mark))
    lists = (f"<ul>{''.join(items)}</ul>" if items else "none" for items in (columns, keys))
    return [name(one.name), state or "none", *lists]


def _word(mark: Mark) -> str:
    return "new" if mark is Mark.ADDED else str(mark)


def rows(report: Report) -> str:
    if report.counts is None:
        return ""
    if not report.counts:
        return "<p>The database has no tables.</p>"
    marks = {one.name: one.mark for one in report.schema.tables} if report.schema else {}
    found = []
    for title, number in report.counts.items():
        mark = marks.get(title, Mark.SAME)
        told = "" if mark in (Mark.SAME, Mark.ADDED) else sign(mark, mark.sign, f"{mark} by this change")
        found.append([name(title), f"{number:,}", told])
    total = sum(report.counts.values())
    text = f"<p>{count(len(report.counts), 'table')}, {count(total, 'row')}.</p>"
    return text + table("Rows of each table, before the change", ("table", "rows", "change"), found, "numbers")


def checksums(report: Report) -> str:
    found = []
    for change in report.changes:
        for dialect, kind, script in change.scripts():
            found.append([name(change.id), NAMES[dialect], kind, f'<code class="sum">{script.sha256}</code>'])
    parts = []
    if found:
        heads = ("migration", "dialect", "file", "SHA-256")
        parts.append(table("The files of the change, byte for byte", heads, found, widths=(38, 10, 8, 44)))
    applied = []
    for item in report.standing.applied:
        row = item.ledger
        now = item.migration.apply.sha256 if item.migration else None
        if row is None:
            told, stored = sign("unknown", "?", "not recorded"), ""
        else:
            stored = f'<code class="sum">{escape(row.apply_sha256)}</code>'
            same = now == row.apply_sha256
            told = sign("applied", "\N{CHECK MARK}", "the file is the same") if same else _differs(item.state)
        applied.append([name(item.id), stored, told])
    if applied:
        title = f"What was applied: {count(len(applied), 'migration')}"
        names = ("migration", "SHA-256 of the apply file, as recorded", "the file now")
        parts.append(details(title, table("What was applied, by the ledger", names, applied, widths=(38, 42, 20))))
    return "".join(parts) or "<p>There are no files.</p>"


def _differs(state: str) -> str:
    words = {"missing": "the file is gone", "cosmetic": "differs in comments or white space alone"}
    return sign(state, STATE_SIGN.get(state, "?"), words.get(state, "another text"))


def history(report: Report) -> str:
    if not report.history:
        return "<p>Nothing was done yet.</p>"
    found = [
        [
            escape(seconds(entry.at)),
            escape(OPERATION.get(entry.operation, entry.operation)),
            name(entry.id),
            f"<bdi>{marked(f'{entry.username}@{entry.hostname}')}</bdi>",
            escape(duration(entry.duration_ms)),
            escape(entry.verify or "not run"),
        ]
        for entry in reversed(report.history)
    ]
    heads = ("when (UTC)", "what", "migration", "who", "took", "checks")
    return table("The last that was done, newest first", heads, found)
