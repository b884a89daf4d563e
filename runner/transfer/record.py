"""The target's own record of a transfer: a row in its bookkeeping, written in the transaction of the copy."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from runner import __version__
from runner.dialects import tables
from runner.identity import user_and_host
from runner.ledger import CREATE_TRANSFERS, TRANSFERS
from runner.transfer.checksum import checksum_of
from runner.transfer.mapping import map_of_text
from runner.transfer.model import Finding, Map, TableSum
from runner.transfer.target import rows


def write_record(
    connection: Any,
    *,
    source: str,
    version: str | None,
    migration_id: str,
    started: datetime,
    sums: Mapping[str, TableSum],
    findings: Sequence[Finding],
    mapping: Map,
    verified: bool,
) -> None:
    """Add the row; the table is made where no migration has made it."""
    if TRANSFERS not in tables(connection, "postgres"):
        rows(connection, CREATE_TRANSFERS)
    user, host = user_and_host()
    values = {
        "id": str(uuid.uuid4()),
        "source": source,
        "source_version": version,
        "migration_id": migration_id,
        "started_at_utc": started,
        "finished_at_utc": datetime.now(UTC).replace(tzinfo=None),
        "total_rows": sum(one.rows for one in sums.values()),
        "checksum": checksum_of(dict(sums)),
        "tables": json.dumps({name: one.as_dict() for name, one in sums.items()}),
        "mapped": json.dumps([_mapped(one) for one in findings if one.action]),
        "map_text": mapping.text,
        "username": user,
        "hostname": host,
        "tool_version": __version__,
        "verify": "passed" if verified else None,
    }
    places = ", ".join(["%s"] * len(values))
    rows(connection, f"INSERT INTO {TRANSFERS} ({', '.join(values)}) VALUES ({places})", tuple(values.values()))


def recorded_map(connection: Any) -> Map:
    """The map of the last transfer into this database; none where there was none."""
    if TRANSFERS not in tables(connection, "postgres"):
        return Map()
    found = rows(connection, f"SELECT map_text FROM {TRANSFERS} ORDER BY finished_at_utc DESC LIMIT 1")
    return map_of_text(found[0][0]) if found and found[0][0] else Map()


def _mapped(finding: Finding) -> dict[str, Any]:
    return {
        "kind": finding.kind,
        "table": finding.table,
        "column": finding.column,
        "count": finding.count,
        "action": finding.action,
    }
