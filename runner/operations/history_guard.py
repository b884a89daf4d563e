"""What stops a run before it begins: history that is not the files', and migrations that died half way."""

from __future__ import annotations

from runner.domain.state import MigrationStatus, Standing, State
from runner.errors import SETTLE_HINT, HistoryError, UnfinishedError


def refuse_unfinished(standing: Standing) -> None:
    """UnfinishedError where a migration began outside a transaction and nobody knows how it ended."""
    for item in standing.in_state(State.UNFINISHED):
        raise UnfinishedError(
            f"the migration {item.id} began outside a transaction and did not end",
            code="UNFINISHED",
            hint=SETTLE_HINT,
            file=item.migration.apply.path if item.migration else None,
        )


def refuse_broken_history(standing: Standing, *, allow_out_of_order: bool = False) -> None:
    """HistoryError for the first migration that is changed, missing or out of order; the file and the way out named."""
    for item in standing.in_state(State.MISSING):
        raise _missing(item, standing)
    for item in standing.in_state(State.CHANGED):
        raise _changed(item)
    for item in standing.in_state(State.OUT_OF_ORDER):
        if not allow_out_of_order:
            raise HistoryError(
                f"{item.id} is pending, but older than {standing.applied[-1].id}, which is applied",
                code="OUT_OF_ORDER",
                hint="Rename it so that it comes last; or apply it all the same with --allow-out-of-order.",
                file=item.migration.apply.path if item.migration else None,
            )


def _missing(item: MigrationStatus, standing: Standing) -> HistoryError:
    if twin := _renamed(item, standing):
        return HistoryError(
            f"{item.id} is applied, but its file is called {twin.id} now",
            code="MIGRATION_RENAMED",
            hint=f"Give it its old name again, {item.id}: to the database the name is the migration.",
            file=twin.migration.apply.path if twin.migration else None,
        )
    return HistoryError(
        f"{item.id} is applied, but its file is gone from the folder",
        code="MIGRATION_MISSING",
        hint="Bring the file back. If the migration is to be taken back, roll back to the one before it: "
        "the way back is stored in the database.",
    )


def _renamed(item: MigrationStatus, standing: Standing) -> MigrationStatus | None:
    """The pending migration whose file is, byte for byte, the one that was applied under the missing name."""
    for other in standing.pending:
        if item.ledger and other.migration and other.migration.apply.sha256 == item.ledger.apply_sha256:
            return other
    return None


def _changed(item: MigrationStatus) -> HistoryError:
    assert item.migration is not None and item.ledger is not None
    script, stored, sha256 = item.migration.apply, item.ledger.apply_sql, item.ledger.apply_sha256
    rollback = item.migration.rollback
    if script.sha256 == sha256 and rollback is not None:
        script, stored = rollback, item.ledger.rollback_sql
    line, shown = None, None
    if stored is not None:
        from difflib import unified_diff

        diff = list(unified_diff(stored.splitlines(), script.text.splitlines(), "applied", "file", lineterm="", n=1))
        shown = "\n".join(diff[:20])
        hunk = next((entry for entry in diff if entry.startswith("@@")), None)
        line = int(hunk.split("+")[1].split(",")[0].split(" ")[0]) if hunk else None
    return HistoryError(
        "this file is not the one that was applied: it was edited afterwards",
        code="CHECKSUM_MISMATCH",
        hint="Restore the file as it was, and put the change into a new migration. If the file is right and the "
        f"database has what it says, record it anew: maxwell-db repair --accept {item.id}",
        file=script.path,
        line=line,
        statement=shown,
    )
