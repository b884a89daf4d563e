"""Who did what, and when: yoyo's log with the ledger's facts, and the transfers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from runner.dialects import tables
from runner.ledger import LEDGER, TRANSFERS, fetch, utc_text

if TYPE_CHECKING:
    from runner.domain.migration import Dialect


@dataclass(frozen=True)
class HistoryEntry:
    """One line of the history. What plain yoyo did has no checksum, duration or version."""

    at: str
    operation: str  # apply, rollback, mark, unmark: yoyo's words; transfer
    id: str  # of the migration; of a transfer the URL of its source
    version: str | None
    username: str | None
    hostname: str | None
    duration_ms: float | None
    apply_sha256: str | None
    tool_version: str | None
    verify: str | None


def read_history(connection: Any, dialect: Dialect) -> tuple[HistoryEntry, ...]:
    """Everything that was done, oldest first."""
    present = tables(connection, dialect)
    entries = _transfers(connection) if TRANSFERS in present and dialect == "postgres" else ()
    if "_yoyo_log" not in present:
        return entries
    ledger = LEDGER in present
    facts = "k.schema_version, k.duration_ms, k.apply_sha256, k.tool_version, k.verify"
    rows = fetch(
        connection,
        f"""
        SELECT l.created_at_utc, l.operation, l.migration_id, l.username, l.hostname,
               {facts if ledger else "NULL, NULL, NULL, NULL, NULL"}
        FROM _yoyo_log AS l {f"LEFT JOIN {LEDGER} AS k ON k.log_id = l.id" if ledger else ""}
        ORDER BY l.created_at_utc, l.id
        """,
    )
    log = tuple(
        HistoryEntry(
            at=utc_text(at),
            operation=operation,
            id=id,
            version=version,
            username=username,
            hostname=hostname,
            duration_ms=duration_ms,
            apply_sha256=apply_sha256,
            tool_version=tool_version,
            verify=verify,
        )
        for at, operation, id, username, hostname, version, duration_ms, apply_sha256, tool_version, verify in rows
    )
    # Sorting is stable: what happened at one moment stays in the log's order.
    return tuple(sorted((*log, *entries), key=lambda entry: entry.at)) if entries else log


def _transfers(connection: Any) -> tuple[HistoryEntry, ...]:
    """What was copied into this database from SQLite, as entries of the history."""
    rows = fetch(
        connection,
        f"""
        SELECT finished_at_utc, source, source_version, username, hostname,
               extract(epoch FROM finished_at_utc - started_at_utc)::float8 * 1000, checksum, tool_version, verify
        FROM {TRANSFERS} ORDER BY finished_at_utc
        """,
    )
    return tuple(
        HistoryEntry(
            at=utc_text(at),
            operation="transfer",
            id=source,
            version=version,
            username=username,
            hostname=hostname,
            duration_ms=duration,
            apply_sha256=checksum,
            tool_version=tool,
            verify=verify,
        )
        for at, source, version, username, hostname, duration, checksum, tool, verify in rows
    )
