"""Where a database stands -> what a person or a program reads."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from runner.cli.layout import duration, seconds, table
from runner.domain.state import State

if TYPE_CHECKING:
    from runner.domain.state import Standing
    from runner.domain.url import DatabaseUrl

_COLORS = {State.APPLIED: "32", State.PENDING: "33", State.COSMETIC: "33"}
_RED = "31"


def status_text(standing: Standing, url: DatabaseUrl, *, color: bool) -> str:
    """A line that says where the database stands, a line for each migration, and what to do next."""
    where = f"at {standing.place}" if standing.applied else "at base, nothing is applied"
    pending = len(standing.pending)
    behind = f"{pending} pending" if pending else "nothing is pending"
    rows = [["state", "version", "migration", "applied (UTC)", "took"]]
    for item in standing.migrations:
        took = "" if item.duration_ms is None else duration(item.duration_ms)
        rows.append([item.state, item.version or "", item.id, seconds(item.applied_at), took])
    paints = [""] + [_COLORS.get(item.state, _RED) for item in standing.migrations]
    lines = [f"{url}: {where}, {behind}", "", *table(rows, paints if color else None)]
    hint = _next_step(standing)
    return "\n".join([*lines, "", hint] if hint else lines)


def status_data(standing: Standing) -> dict[str, Any]:
    return {
        "version": standing.version,
        "head_version": standing.head_version,
        "pending": len(standing.pending),
        "migrations": [
            {
                "id": item.id,
                "version": item.version,
                "revision": item.revision,
                "state": str(item.state),
                "applied_at": item.applied_at,
                "duration_ms": item.duration_ms,
                "reversible": item.reversible,
            }
            for item in standing.migrations
        ],
    }


def _next_step(standing: Standing) -> str:
    if standing.in_state(State.UNFINISHED):
        return "An unfinished migration has to be settled: 'maxwell-db apply' says how."
    if standing.in_state(State.CHANGED, State.MISSING, State.OUT_OF_ORDER):
        return "The files are not those that made the database: 'maxwell-db apply' says which, and what to do."
    if standing.in_state(State.COSMETIC):
        return "Cosmetic: only comments or white space differ from what was applied."
    return ""
