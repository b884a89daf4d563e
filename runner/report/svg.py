"""The schema as a picture: tables with their columns and keys, and what the change does to them, as SVG."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace

from runner.report.layers import GAP_X, Box
from runner.report.layout import Layout, Line, lay_out
from runner.report.schema import ColumnPart, KeyPart, Mark, Schema, TablePart
from runner.report.text import count, escape, plain, shortened, width

ROW, HEAD, PAD, CELL = 17.0, 25.0, 8.0, 6.65  # CELL: a character of the font, 11 pixels high
MARGIN = 18.0
_LONGEST_NAME, _LONGEST_TYPE = 30, 18
_MOST_ROWS = 40
#: PostgreSQL's long names as people write them.
_SHORT = (
    ("character varying", "varchar"),
    ("timestamp without time zone", "timestamp"),
    ("timestamp with time zone", "timestamptz"),
    ("time without time zone", "time"),
    ("time with time zone", "timetz"),
    ("double precision", "double"),
)


@dataclass(frozen=True)
class _Drawn:
    """A table with the rows that are drawn of it."""

    table: TablePart
    rows: tuple[ColumnPart, ...]
    left_out: int
    width: float

    @property
    def height(self) -> float:
        return HEAD + ROW * (len(self.rows) + bool(self.left_out)) + 5

    def row_y(self, columns: Sequence[str]) -> float:
        """The middle of the first of these columns, from the top of the table."""
        names = [column.name for column in self.rows]
        place = next((names.index(name) for name in columns if name in names), None)
        return HEAD / 2 if place is None else HEAD + ROW * place + ROW / 2 + 1


def picture(schema: Schema) -> str:
    """The whole of it as one ``<svg>``, with a title and a description; nothing in it needs a script or a font file."""
    drawn = {table.name: _drawn(table) for table in schema.tables}
    keys = [(child, key) for child, one in drawn.items() for key in one.table.keys if key.parent in drawn]
    lines = [Line(child, key.parent, *_ends(drawn, child, key)) for child, key in keys]
    layout = lay_out([Box(name, one.width, one.height) for name, one in drawn.items()], lines)
    edges = {name: layout.layers[layout.layer_of[name]] for name in drawn}
    drawn = {name: replace(one, width=edges[name][1] - edges[name][0]) for name, one in drawn.items()}
    wide, high = layout.width + 2 * MARGIN, layout.height + 2 * MARGIN
    parts = [
        f'<svg class="schema" role="img" aria-labelledby="schema-title schema-text" width="{wide:.0f}" '
        f'height="{high:.0f}" viewBox="{-MARGIN:.0f} {-MARGIN:.0f} {wide:.0f} {high:.0f}">',
        f'<title id="schema-title">{escape(_title(schema))}</title>',
        f'<desc id="schema-text">{escape(describe(schema))}</desc>',
        *_lines(keys, drawn, layout),
        *(line for name, one in drawn.items() for line in _table(one, *layout.corners[name])),
        "</svg>",
    ]
    return "\n".join(parts)


def describe(schema: Schema) -> str:
    """What the picture shows, in words."""
    told = [f"{count(len(schema.tables), 'table')}."]
    for mark in (Mark.ADDED, Mark.CHANGED, Mark.DROPPED):
        names = [plain(table.name) for table in schema.marked(mark)]
        if names:
            told.append(f"{str(mark).capitalize()}: {', '.join(names)}.")
    return " ".join([*told, "The table below says the same in words."])


def _title(schema: Schema) -> str:
    changed = sum(table.mark is not Mark.SAME for table in schema.tables)
    return f"Tables and foreign keys, {changed} of {len(schema.tables)} touched by the change"


def _drawn(table: TablePart) -> _Drawn:
    rows = table.columns
    if len(rows) > _MOST_ROWS:
        told = [column for column in rows if column.primary or column.foreign or column.mark is not Mark.SAME]
        kept = {column.name for column in [*told, *rows][:_MOST_ROWS]}
        rows = tuple(column for column in rows if column.name in kept)
    names = max((min(width(plain(column.name)), _LONGEST_NAME) for column in rows), default=0)
    types = max((min(width(_type(column)), _LONGEST_TYPE) for column in rows), default=0)
    head = min(width(plain(table.name)), 40) * 1.12 + (0 if table.mark is Mark.SAME else 11)
    cells = max(head, 2 + names + 2 + types + 4, 16)
    return _Drawn(table, rows, len(table.columns) - len(rows), 2 * PAD + CELL * cells)


def _ends(drawn: dict[str, _Drawn], child: str, key: KeyPart) -> tuple[float, float]:
    parent = drawn[key.parent]
    wanted = key.parent_columns or tuple(column.name for column in parent.rows if column.primary)
    return drawn[child].row_y(key.columns), parent.row_y(wanted)


def _table(one: _Drawn, x: float, y: float) -> list[str]:
    table, right = one.table, x + one.width - PAD
    parts = [
        f'<g class="table {table.mark}">',
        f'<rect class="box" x="{x:.1f}" y="{y:.1f}" width="{one.width:.1f}" height="{one.height:.1f}" rx="5"/>',
        f'<path class="head" d="M{x:.1f} {y + HEAD:.1f}v{-(HEAD - 5):.1f}q0 -5 5 -5h{one.width - 10:.1f}q5 0 5 5'
        f'v{HEAD - 5:.1f}z"/>',
        _text("name", x + PAD, y + 17, shortened(table.name, 40), plain(table.name)),
    ]
    if table.mark is not Mark.SAME:
        word = "new" if table.mark is Mark.ADDED else str(table.mark)
        parts.append(_text("word", right, y + 17, f"{table.mark.sign} {word}"))
    for place, column in enumerate(one.rows):
        parts += _column(column, one, x, y + HEAD + ROW * place)
    if one.left_out:
        more = f"and {count(one.left_out, 'column')} more"
        parts.append(_text("more", x + PAD + 2 * CELL, y + HEAD + ROW * len(one.rows) + 13, more))
    return [*parts, "</g>"]


def _column(column: ColumnPart, one: _Drawn, x: float, y: float) -> list[str]:
    base = y + 13
    parts = [f'<g class="column {column.mark}">']
    if column.mark is not Mark.SAME and one.table.mark is Mark.CHANGED:
        parts.append(f'<rect class="band" x="{x + 1:.1f}" y="{y + 1:.1f}" width="{one.width - 2:.1f}" height="{ROW}"/>')
    if column.mark is not Mark.SAME:
        parts.append(_text("sign", x + PAD - 2, base, column.mark.sign))
    name = shortened(column.name, _LONGEST_NAME)
    kind = "column-name primary" if column.primary else "column-name foreign" if column.foreign else "column-name"
    parts.append(_text(kind, x + PAD + 1.6 * CELL, base, name, plain(column.name)))
    parts.append(
        _text(
            "type", x + one.width - PAD - 3.4 * CELL, base, shortened(_type(column), _LONGEST_TYPE), plain(column.type)
        )
    )
    tag = "PK" if column.primary else "FK" if column.foreign else ""
    if tag:
        parts.append(_text("tag", x + one.width - PAD, base, tag))
    return [*parts, "</g>"]


def _type(column: ColumnPart) -> str:
    text = plain(column.type)
    for long, short in _SHORT:
        text = text.replace(long, short)
    return text


def _text(kind: str, x: float, y: float, text: str, whole: str | None = None) -> str:
    title = f"<title>{escape(whole)}</title>" if whole is not None and whole != text else ""
    return f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}">{title}{escape(text)}</text>'


def _lines(keys: Sequence[tuple[str, KeyPart]], drawn: dict[str, _Drawn], layout: Layout) -> list[str]:
    """Every piece of line once; one that several keys share has a mark only if all of them have it."""
    marks: dict[str, set[Mark]] = defaultdict(set)
    ends: list[str] = []
    for child, key in keys:
        for piece in _pieces(child, key, drawn, layout):
            marks[piece].add(key.mark)
        ends += _feet(child, key, drawn, layout)
    ordered = sorted(marks.items(), key=lambda item: item[1] != {Mark.SAME})  # what is marked lies on top
    paths = [
        f'<path class="line {next(iter(found)) if len(found) == 1 else Mark.SAME}" d="{piece}"/>'
        for piece, found in ordered
    ]
    return [*paths, *dict.fromkeys(ends)]


def _pieces(child: str, key: KeyPart, drawn: dict[str, _Drawn], layout: Layout) -> list[str]:
    down, up = _ends(drawn, child, key)
    (x, y), (parent_x, parent_y) = layout.corners[child], layout.corners[key.parent]
    end_y, start_x, start_y = y + down, parent_x + drawn[key.parent].width, parent_y + up
    first, last = layout.layer_of[key.parent], layout.layer_of[child]
    if key.parent == child:
        out = start_x + 24
        return [f"M{start_x:.1f} {start_y:.1f}C{out:.1f} {start_y:.1f} {out:.1f} {end_y:.1f} {start_x:.1f} {end_y:.1f}"]
    if last <= first:  # a circle: from the child's right side to the parent's left
        child_right = x + drawn[child].width
        return [_curve(child_right, end_y, parent_x, start_y)]
    pieces = []
    at_x, at_y = start_x, start_y
    for layer in range(first + 1, last):
        left, right = layout.layers[layer]
        lane = layout.trunks[key.parent][layer]
        pieces += [_curve(at_x, at_y, left - 8, lane), f"M{left - 8:.1f} {lane:.1f}H{right + 4:.1f}"]
        at_x, at_y = right + 4, lane
    return [*pieces, _curve(at_x, at_y, x, end_y)]


def _curve(x: float, y: float, to_x: float, to_y: float) -> str:
    """From a layer's right side to the next one's left: the bend is near the end, where lines part."""
    if abs(y - to_y) < 0.5:
        return f"M{x:.1f} {y:.1f}H{to_x:.1f}"
    bend = max(GAP_X * 0.5, abs(to_x - x) * 0.5)
    return f"M{x:.1f} {y:.1f}C{x + bend:.1f} {y:.1f} {to_x - bend:.1f} {to_y:.1f} {to_x:.1f} {to_y:.1f}"


def _feet(child: str, key: KeyPart, drawn: dict[str, _Drawn], layout: Layout) -> list[str]:
    """An arrow into the parent, and a crow's foot at the child: of it there are many."""
    down, up = _ends(drawn, child, key)
    (x, y), (parent_x, parent_y) = layout.corners[child], layout.corners[key.parent]
    end_y, start_y, right = y + down, parent_y + up, parent_x + drawn[key.parent].width
    backward = layout.layer_of[child] <= layout.layer_of[key.parent]
    if key.parent == child:
        return [_arrow(right, start_y, -1), _foot(right, end_y, 1, key.mark)]
    if backward:
        return [_arrow(parent_x, start_y, 1), _foot(x + drawn[child].width, end_y, 1, key.mark)]
    return [_arrow(right, start_y, -1), _foot(x, end_y, -1, key.mark)]


def _arrow(x: float, y: float, way: int) -> str:
    return f'<path class="arrow" d="M{x:.1f} {y:.1f}l{-7 * way} -4v8z"/>'


def _foot(x: float, y: float, way: int, mark: Mark) -> str:
    return f'<path class="foot {mark}" d="M{x:.1f} {y - 4:.1f}l{8 * way} 4l{-8 * way} 4"/>'
