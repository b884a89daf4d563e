"""Pieces of the page that come again: a table, a note, a cell."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from runner.report.model import Report
from runner.report.text import escape, marked


def table(
    caption: str,
    heads: Sequence[str],
    rows: Iterable[Sequence[str]],
    kind: str = "stack",
    widths: Sequence[int] = (),
) -> str:
    """A table of cells that are HTML already; the first of each row is its heading. On a phone its rows are stacked.

    ``caption`` and ``heads`` are plain text; ``widths`` of the columns in percent, where content gives no good ones.
    """
    columns = "".join(f'<col style="width:{width}%">' for width in widths)
    group = f"<colgroup>{columns}</colgroup>" if widths else ""
    kind = f"{kind} fixed" if widths else kind
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in heads)
    body = []
    for first, *rest in rows:
        cells = "".join(
            f'<td data-head="{escape(name)}">{cell}</td>' for name, cell in zip(heads[1:], rest, strict=True)
        )
        body.append(f'<tr><th scope="row">{first}</th>{cells}</tr>')
    return (
        f'<table class="{kind}"><caption>{escape(caption)}</caption>{group}<thead><tr>{head}</tr></thead>'
        f"<tbody>{''.join(body)}</tbody></table>"
    )


def name(text: str) -> str:
    """A name, as code that keeps its direction to itself."""
    return f"<bdi><code>{marked(text)}</code></bdi>"


def sign(tone: str, mark: str, word: str) -> str:
    """A state by a colour, by a sign and by a word."""
    return f'<span class="state {escape(tone)}"><span aria-hidden="true">{escape(mark)}</span> {escape(word)}</span>'


def note(report: Report, section: str) -> str:
    text = report.notes.get(section)
    return f'<p class="hint">{marked(text)}</p>' if text else ""


def details(title: str, content: str) -> str:
    return f"<details><summary>{escape(title)}</summary>{content}</details>"
