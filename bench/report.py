"""What was measured, for people: a table on the terminal, a table in Markdown, and the picture of the curves."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path

from bench.measure import Finding, Point, Results


def text(results: Results) -> str:
    """The findings as lines: target, work, peer, both numbers, their ratio, and whether the target is met."""
    rows: list[tuple[str, ...]] = [("target", "work", "beside", "ours", "theirs", "ratio", "at most", "")]
    rows += [_cells(one) for one in results.findings]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    lines += _floors(results)
    if results.missing:
        lines.append(f"not installed here, and left out: {', '.join(results.missing)}")
    return "\n".join(lines)


def markdown(results: Results) -> str:
    """The same as a table for the documentation."""
    lines = ["| | | beside | ours | theirs | ratio | at most | |", "|---|---|---|---:|---:|---:|---:|---|"]
    lines += [f"| {' | '.join(_cells(one))} |" for one in results.findings]
    notes = [f"- {line}" for line in _floors(results)]
    missing = [f"Not installed, and left out: {', '.join(results.missing)}."] if results.missing else []
    return "\n".join([*lines, *(["", *notes] if notes else []), *(["", *missing] if missing else [])])


def _floors(results: Results) -> list[str]:
    """What keeps a target from being met, once for each work."""
    missed = [one for one in results.findings if one.floor and not one.met]
    return list(dict.fromkeys(f"{one.target}, {one.work}: {one.floor}" for one in missed))


def _cells(one: Finding) -> tuple[str, ...]:
    met = "" if one.met is None else "met" if one.met else "not met"
    most = "" if one.limit is None else f"{one.limit:.2f}"
    return (
        one.target,
        one.work,
        one.peer,
        _value(one.ours, one),
        _value(one.other, one),
        _ratio(one.ratio),
        most,
        met,
    )


def _ratio(ratio: float) -> str:
    return f"{ratio:.2f}" if ratio >= 0.1 else f"{ratio:.3f}"


def _value(value: float, one: Finding) -> str:
    if one.unit == "MB":
        return f"{value:,.0f} MB"
    return f"{value:.2f} s" if value >= 1 else f"{value * 1000:.1f} ms"


def keep(results: Results, file: Path) -> None:
    """As JSON, for ``read``."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(asdict(results), indent=1))


def read(file: Path) -> Results:
    found = json.loads(file.read_text())
    return Results(
        [Finding(**one) for one in found["findings"]], [Point(**one) for one in found["points"]], found["missing"]
    )


def picture(points: Iterable[Point], file: Path) -> None:
    """The curves as an SVG, a panel for each unit of work; both axes logarithmic: a straight line of 45 degrees grows
    as its work does."""
    import matplotlib as mpl

    mpl.use("svg")
    from matplotlib import pyplot

    mpl.rcParams |= {"svg.hashsalt": "maxwell-db", "svg.fonttype": "none"}  # the same numbers make the same file
    by_unit: dict[str, dict[str, list[Point]]] = {}
    for point in points:
        by_unit.setdefault(point.unit, {}).setdefault(point.curve, []).append(point)
    grown = {unit: {name: one for name, one in curves.items() if len(one) > 1} for unit, curves in by_unit.items()}
    panels = {unit: curves for unit, curves in grown.items() if curves}
    figure, axes = pyplot.subplots(1, len(panels), figsize=(5 * len(panels), 4.2), squeeze=False)
    for axis, (unit, curves) in zip(axes[0], panels.items(), strict=True):
        for name, curve in curves.items():
            ordered = sorted(curve, key=lambda point: point.work)
            axis.plot([p.work for p in ordered], [p.seconds for p in ordered], marker="o", markersize=3, label=name)
        axis.set(xscale="log", yscale="log", xlabel=unit, ylabel="seconds")
        axis.grid(alpha=0.3)
        axis.legend(fontsize=8)
    figure.tight_layout()
    figure.savefig(file, metadata={"Date": None})
