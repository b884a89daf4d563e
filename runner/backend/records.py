"""What is written about a migration, in the transaction of the migration itself: mark, log and ledger."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from yoyo.backends.base import DatabaseBackend

from runner import __version__, ledger
from runner.backend.steps import SqlMigration
from runner.domain.migration import Migration
from runner.domain.outcome import Direction
from runner.identity import user_and_host

#: The row of the present apply of a migration: its time is the mark's.
PRESENT_ROW = (
    "operation = 'apply' AND migration_id = :id"
    " AND at_utc = (SELECT applied_at_utc FROM _yoyo_migration WHERE migration_id = :id)"
)

_AT_ONCE = 500  # ids in one statement


class Records(DatabaseBackend):  # type: ignore[misc]  # yoyo is untyped
    """yoyo's records, written by yoyo, and ours beside them."""

    _log_id = ""  # of the row that yoyo's log got last

    def format_sql(self, s: str) -> str:
        """As yoyo's, which formats the same statement anew for each migration."""
        formatted: dict[str, str] = self.__dict__.setdefault("_formatted", {})
        if s not in formatted:
            formatted[s] = super().format_sql(s)
        return formatted[s]

    def get_log_data(self, migration: Any = None, operation: str = "apply") -> dict[str, Any]:
        """As yoyo's, but asked before the transaction: a uid without a name made yoyo fail after its commit."""
        user, host = user_and_host()
        self._log_id = new_log_id()
        return {
            "id": self._log_id,
            "migration_id": migration.id if migration else None,
            "migration_hash": migration.hash if migration else None,
            "username": user,
            "hostname": host,
            "created_at_utc": utc_now(),
            "operation": operation,
        }

    def record(self, migration: SqlMigration, direction: Direction, milliseconds: float, passed: bool | None) -> None:
        """yoyo's mark and log, and our ledger row, whose time is the mark's own."""
        row = self.ledger_row(migration.migration, str(direction), milliseconds, passed)
        if direction is Direction.APPLY:
            self.mark_one(migration, log=False)
            self.log_migration(migration, "apply")
            at = "(SELECT applied_at_utc FROM _yoyo_migration WHERE migration_hash = :migration_hash)"
            self.insert_ledger(row | {"log_id": self._log_id}, at, migration.hash)
        else:
            self.unmark_one(migration, log=False)
            self.log_migration(migration, "rollback")
            self.insert_ledger(row | {"log_id": self._log_id, "at_utc": utc_now()})

    def ledger_row(
        self, migration: Migration, operation: str, milliseconds: float | None, passed: bool | None
    ) -> dict[str, Any]:
        user, host = user_and_host()
        text = migration.apply.text
        return {
            "operation": operation,
            "migration_id": migration.id,
            "schema_version": migration.version,
            "revision": migration.revision,
            "apply_sha256": migration.apply.sha256,
            "rollback_sha256": migration.rollback.sha256 if migration.rollback else None,
            "apply_sql": text if len(text) <= ledger.LARGEST_APPLY_TEXT else None,
            "rollback_sql": migration.rollback.text if migration.rollback else None,
            "duration_ms": milliseconds,
            "username": user,
            "hostname": host,
            "tool_version": __version__,
            "verify": None if passed is None else "passed" if passed else "failed",
            "apply_stat": migration.apply.stat,
            "rollback_stat": migration.rollback.stat if migration.rollback else None,
        }

    def insert_ledger(self, row: dict[str, Any], at_sql: str = ":at_utc", migration_hash: str = "") -> None:
        columns = [column for column in ledger.COLUMNS if column in row or column == "at_utc"]
        values = ", ".join(at_sql if column == "at_utc" else f":{column}" for column in columns)
        sql_text = f"INSERT INTO {ledger.LEDGER} ({', '.join(columns)}) VALUES ({values})"
        self.execute(sql_text, row | ({"migration_hash": migration_hash} if migration_hash else {}))

    def set_verify_outcome(self, ids: Sequence[str], passed: bool) -> None:
        """Note what the checks after the run said, in the rows of the migrations that it applied."""
        with self.transaction():
            for start in range(0, len(ids), _AT_ONCE):
                values = {f"id{number}": id for number, id in enumerate(ids[start : start + _AT_ONCE])}
                listed = ", ".join(f":{name}" for name in values)
                self.execute(
                    f"UPDATE {ledger.LEDGER} SET verify = :verify"
                    f" WHERE operation = 'apply' AND migration_id IN ({listed}) AND (migration_id, at_utc) IN"
                    f" (SELECT migration_id, applied_at_utc FROM _yoyo_migration WHERE migration_id IN ({listed}))",
                    values | {"verify": "passed" if passed else "failed"},
                )

    def unfinished_text(self, id: str, going_down: bool) -> str:
        """The statement that died outside a transaction, as it was sent."""
        column = "rollback_sql" if going_down else "apply_sql"
        sql = f"SELECT {column} FROM {ledger.LEDGER} WHERE operation = 'unfinished' AND migration_id = :id"
        row = self.execute(sql, {"id": id}).fetchone()
        return (row[0] if row else None) or ""

    def forget_unfinished(self, ids: Sequence[str]) -> None:
        """Remove the rows that tell of a migration which died outside a transaction: it is settled."""
        with self.transaction():
            for id in ids:
                self.execute(
                    f"DELETE FROM {ledger.LEDGER} WHERE operation = 'unfinished' AND migration_id = :id", {"id": id}
                )


def new_log_id() -> str:
    """A UUID made of the time, as yoyo's are; with the machine named, it need not be asked for at each one."""
    return str(uuid.uuid1(uuid.getnode()))


def utc_now() -> datetime:
    """The time as yoyo keeps it: UTC, and without saying so."""
    return datetime.now(UTC).replace(tzinfo=None)
