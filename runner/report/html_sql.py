"""The files of a change side by side: lines with numbers, and under a line what lint and rehearsal say of it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

from runner.domain.migration import Dialect, Migration, Script
from runner.domain.outcome import Direction
from runner.domain.sql import Token, tokens
from runner.rehearsal.model import StatementReport
from runner.report.model import DIALECTS, Change, Report
from runner.report.text import count, escape, marked
from runner.rules.model import Finding

NAMES = {"sqlite": "SQLite", "postgres": "PostgreSQL"}
_MOST_LINES, _MOST_CHARACTERS = 2_000, 200_000


def change_html(report: Report, change: Change, number: int) -> str:
    """One migration: what its header says, then a column for each dialect, with the rollback under the apply file."""
    findings = report.lint.findings if report.lint else ()
    measured = report.rehearsed.statements_of(change) if report.rehearsed else ()
    columns = []
    for dialect in DIALECTS:
        migration = change.files.get(dialect)
        if migration is None:
            why = change.missing.get(dialect, "there is no folder of this dialect")
            columns.append(f'<div class="files none"><h4>{NAMES[dialect]}</h4><p>{marked(why)}</p></div>')
            continue
        columns.append(_files(migration, number, findings, measured if dialect == "postgres" else ()))
    return (
        f'<article class="change" id="change-{number}" aria-labelledby="change-{number}-name">'
        f'<h3 id="change-{number}-name"><bdi>{marked(change.id)}</bdi></h3>{_header(change)}'
        f'<div class="pair">{"".join(columns)}</div></article>'
    )


def anchor(number: int, dialect: str, direction: str, line: int) -> str:
    """The id of a line."""
    return f"c{number}-{dialect}-{direction}-{line}"


def _header(change: Change) -> str:
    own = change.own
    facts = [("state", str(change.state or "not for this database"))]
    facts += [(key, text) for key, text in (("version", own.version), ("revision", own.revision)) if text]
    if own.depends:
        facts.append(("depends on", ", ".join(own.depends)))
    facts.append(("rollback", f"none: {own.irreversible}" if own.irreversible else "yes" if own.reversible else "none"))
    for dialect, migration in change.files.items():
        if not migration.transactional:
            facts.append((f"on {NAMES[dialect]}", "runs outside a transaction"))
    if own.expect_row_loss:
        facts.append(("deletes rows of", ", ".join(sorted(own.expect_row_loss))))
    items = "".join(f"<div><dt>{escape(key)}</dt><dd><bdi>{marked(text)}</bdi></dd></div>" for key, text in facts)
    return f'<dl class="facts">{items}</dl>'


def _files(migration: Migration, number: int, findings: Sequence[Finding], measured: Sequence[StatementReport]) -> str:
    dialect = migration.dialect
    parts = [f'<div class="files"><h4>{NAMES[dialect]}</h4>']
    parts.append(_figure(migration.apply, dialect, number, Direction.APPLY, findings, measured))
    if migration.rollback is not None:
        parts.append(_figure(migration.rollback, dialect, number, Direction.ROLLBACK, findings, measured))
    else:
        reason = marked(migration.irreversible or "it is not there")
        parts.append(f'<p class="none">No rollback: {reason}</p>')
    return "".join([*parts, "</div>"])


def _figure(
    script: Script,
    dialect: Dialect,
    number: int,
    direction: Direction,
    findings: Sequence[Finding],
    measured: Sequence[StatementReport],
) -> str:
    kind = "apply" if direction is Direction.APPLY else "rollback"
    notes: dict[int, list[str]] = defaultdict(list)
    for finding in findings:
        if finding.file == script.path:
            notes[finding.line].append(_finding(finding))
    for statement in measured:
        if statement.direction is direction and (text := told(statement)):
            notes[statement.line].append(f'<span class="note measured"><b>measured</b> {marked(text)}</span>')
    lines = highlighted(script.text[:_MOST_CHARACTERS], dialect)
    shown = lines[:_MOST_LINES]
    rest = script.text.count("\n") + (not script.text.endswith("\n")) - len(shown)
    body = "".join(
        _line(anchor(number, dialect, kind, place), place, html, notes) for place, html in enumerate(shown, 1)
    )
    late = "".join(note for place, some in sorted(notes.items()) if place > len(shown) for note in some)
    cut = f'<p class="cut">Cut here: {count(max(rest, 1), "line")} more are in the file.</p>' if rest > 0 else ""
    return (
        f'<figure class="file {kind}"><figcaption><b>{kind}</b> <span class="path">{marked(str(script.path))}</span>'
        f'</figcaption><pre class="sql" dir="ltr"><code>{body}{late}</code></pre>{cut}</figure>'
    )


def _line(id: str, number: int, html: str, notes: Mapping[int, Sequence[str]]) -> str:
    # The line's end is part of it, so that what is copied has its lines.
    return f'<span class="line" id="{id}" data-n="{number}">{html}\n</span>{"".join(notes.get(number, ()))}'


def _finding(finding: Finding) -> str:
    sign = "\N{BALLOT X}" if finding.severity == "error" else "!"
    word = "error" if finding.severity == "error" else "warning"
    return (
        f'<span class="note {word}"><b>{sign} {word}</b> {marked(finding.message)} '
        f'<span class="rule">{marked(finding.rule)}</span></span>'
    )


def told(statement: StatementReport) -> str:
    """What was seen of a statement, in a line; empty where it did nothing that others would notice."""
    parts = [f"locks {lock.relation}: {lock.mode}, which blocks {lock.blocks}" for lock in statement.locks]
    parts += [f"writes {name} anew" for name in statement.rewrites]
    if statement.note:
        parts.append(statement.note)
    return f"{statement.duration_ms:.1f} ms; {'; '.join(parts)}" if parts else ""


def highlighted(text: str, dialect: Dialect) -> list[str]:
    """The lines of a text as HTML, with comments, literals, names and key words told apart."""
    lines: list[str] = []
    current: list[str] = []
    for kind, piece in _pieces(text, dialect):
        for place, part in enumerate(piece.split("\n")):
            if place:
                lines.append("".join(current))
                current = []
            if part:
                current.append(f'<span class="{kind}">{marked(part)}</span>' if kind else marked(part))
    if current or not lines:
        lines.append("".join(current))
    return lines


def _pieces(text: str, dialect: Dialect) -> Iterator[tuple[str, str]]:
    position = 0
    for token in tokens(text, dialect):
        yield "", text[position : token.start]
        yield _kind(token), token.text
        position = token.start + len(token.text)
    yield "", text[position:]


def _kind(token: Token) -> str:
    if token.kind == "word":
        return "kw" if token.text.isupper() and token.text.isalpha() and len(token.text) > 1 else ""
    return {"comment": "cm", "literal": "st", "name": "nm"}.get(token.kind, "")
