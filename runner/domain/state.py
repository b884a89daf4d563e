"""Where a database stands: each migration, and what became of it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from runner.domain.migration import Migration


class State(StrEnum):
    APPLIED = "applied"
    PENDING = "pending"
    CHANGED = "changed"
    COSMETIC = "cosmetic"
    MISSING = "missing"
    OUT_OF_ORDER = "out-of-order"
    UNFINISHED = "unfinished"


#: What stops ``apply``: the files are not those that made the database.
BROKEN_HISTORY = frozenset({State.CHANGED, State.MISSING, State.OUT_OF_ORDER})


class LedgerRow(NamedTuple):
    """What was applied, as it was then."""

    id: str
    log_id: str
    apply_sha256: str
    rollback_sha256: str | None
    version: str | None
    revision: str | None
    duration_ms: float | None
    apply_stat: str | None = None  # of the file when it was read to be applied; None: it was too new to tell by it
    rollback_stat: str | None = None
    apply_sql: str | None = None  # None: the file is still the same, or the text was too large to be kept
    rollback_sql: str | None = None


class MigrationStatus(NamedTuple):
    """One migration of the files or of the database, and its state."""

    id: str
    version: str | None
    revision: str | None
    state: State
    applied_at: str | None
    duration_ms: float | None
    reversible: bool
    migration: Migration | None  # None: the file is gone, or it is unread, being the one that was applied
    ledger: LedgerRow | None
    unread: bool = False

    @property
    def is_applied(self) -> bool:
        return self.applied_at is not None


@dataclass(frozen=True)
class Standing:
    """The whole of it: every migration in order, oldest first."""

    migrations: tuple[MigrationStatus, ...]

    @property
    def applied(self) -> tuple[MigrationStatus, ...]:
        return tuple(item for item in self.migrations if item.is_applied)

    @property
    def pending(self) -> tuple[MigrationStatus, ...]:
        return tuple(item for item in self.migrations if item.state in (State.PENDING, State.OUT_OF_ORDER))

    @property
    def version(self) -> str | None:
        """The schema version: that of the newest applied migration that has one."""
        return next((item.version for item in reversed(self.applied) if item.version), None)

    @property
    def place(self) -> str:
        """Where the database stands, in words: its version, else its newest migration, else base."""
        if self.version:
            return f"version {self.version}"
        return self.applied[-1].id if self.applied else "base"

    @property
    def newest(self) -> str:
        """The newest applied migration's id, or base: the target of a rollback that leads back to here."""
        return self.applied[-1].id if self.applied else "base"

    @property
    def head_version(self) -> str | None:
        with_files = (item for item in reversed(self.migrations) if item.migration or item.unread)
        return next((item.version for item in with_files if item.version), None)

    def in_state(self, *states: State) -> tuple[MigrationStatus, ...]:
        return tuple(item for item in self.migrations if item.state in states)


def stand(
    migrations: Sequence[Migration],
    marks: Mapping[str, str],
    ledger: Mapping[str, LedgerRow],
    unfinished: Iterable[str] = (),
    unread: Collection[str] = (),
) -> Standing:
    """Lay the files beside the database's own records.

    ``marks`` are yoyo's, by id, with the time (UTC, as text, exactly as the database gives it); they are the truth. A
    mark without a row in ``ledger`` (which has none but those of present marks) means that nothing is known of the
    text: plain yoyo or ``stamp`` made it, and that is not an error. ``unread`` are ids whose files are known to be
    those that were applied, and so are not among ``migrations``.
    """
    died = set(unfinished)
    files = {migration.id: migration for migration in migrations}
    newest_applied = max((id for id in (*files, *unread) if id in marks), default="")
    statuses = []
    for id in sorted(files.keys() | marks.keys() | died):
        migration, applied_at, row = files.get(id), marks.get(id), ledger.get(id)
        if id in died:
            state = State.UNFINISHED
        elif id in unread:
            state = State.APPLIED
        elif applied_at is not None:
            state = State.MISSING if migration is None else _compare(migration, row)
        else:
            state = State.OUT_OF_ORDER if id < newest_applied else State.PENDING
        statuses.append(
            MigrationStatus(
                id=id,
                version=migration.version if migration else row.version if row else None,
                revision=migration.revision if migration else row.revision if row else None,
                state=state,
                applied_at=applied_at,
                duration_ms=row.duration_ms if row else None,
                reversible=migration.reversible if migration else bool(row and row.rollback_sha256),
                migration=migration,
                ledger=row,
                unread=id in unread,
            )
        )
    return Standing(tuple(statuses))


def _compare(migration: Migration, row: LedgerRow | None) -> State:
    """Is the file the one that was applied?"""
    if row is None:
        return State.APPLIED
    rollback = migration.rollback
    if (migration.apply.sha256, rollback.sha256 if rollback else None) == (row.apply_sha256, row.rollback_sha256):
        return State.APPLIED
    from runner.domain.sql import same_tokens  # the scanner is not needed where nothing changed

    if migration.apply.sha256 == row.apply_sha256:
        same_apply = True
    else:
        same_apply = row.apply_sql is not None and same_tokens(migration.apply.text, row.apply_sql, migration.dialect)
    if rollback is None or row.rollback_sql is None:
        same_rollback = rollback is None and row.rollback_sql is None
    else:
        same_rollback = same_tokens(rollback.text, row.rollback_sql, migration.dialect)
    return State.COSMETIC if same_apply and same_rollback else State.CHANGED
