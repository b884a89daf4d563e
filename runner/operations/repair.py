"""Settle what a run left open: migrations that died outside a transaction, and texts that were edited afterwards."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Literal

from runner.domain.options import RunOptions
from runner.domain.outcome import Observer
from runner.domain.sql import statements
from runner.domain.state import MigrationStatus, Standing, State
from runner.errors import UsageError
from runner.operations.project import Project
from runner.operations.run import Runner, locked

Decision = Literal["applied", "pending"]


@dataclass(frozen=True)
class Repair:
    """One migration: what was found, and what was done about it; ``open`` where a person has to decide."""

    id: str
    state: State
    found: str
    open: bool = False


@dataclass(frozen=True)
class RepairReport:
    """What a repair did, and where the database stands since."""

    repairs: tuple[Repair, ...]
    standing: Standing  # after it

    @property
    def changed(self) -> bool:
        return any(not repair.open for repair in self.repairs)

    def left(self, state: State) -> bool:
        return any(repair.open and repair.state is state for repair in self.repairs)


def repair(
    project: Project, accept: Collection[str], decision: Decision | None, options: RunOptions, observer: Observer
) -> RepairReport:
    """Settle what can be settled, and say what is left.

    An index that was built or dropped CONCURRENTLY is looked at: a valid one is done, an invalid one is dropped and is
    pending again. Of any other statement nobody can tell, and ``decision`` has to say it. Cosmetic edits are recorded
    anew; of the changed ones those in ``accept``. UsageError for an id in it that is not changed.
    """
    with (
        project.connection(what="repair") as connection,
        locked(project, connection, options, observer, "repair") as run,
    ):
        standing = project.standing(connection)
        changed = {item.id for item in standing.in_state(State.CHANGED)}
        for id in accept:
            if id not in changed:
                raise UsageError(
                    f"{id} is not changed",
                    code="UNKNOWN_TARGET",
                    hint=f"Changed: {', '.join(sorted(changed)) or 'none'}.",
                )
        repairs = [_settle(run, item, decision) for item in standing.in_state(State.UNFINISHED)]
        repairs += [_realign(run, item, accept) for item in standing.in_state(State.COSMETIC, State.CHANGED)]
        return RepairReport(tuple(repairs), project.standing(connection))


def _settle(run: Runner, item: MigrationStatus, decision: Decision | None) -> Repair:
    """Find out whether the statement took effect, and make the marks say so."""
    going_down = item.is_applied
    text = run.backend.unfinished_text(item.id, going_down)
    found, is_done = _look(run.connection, run.backend.dialect, text)
    if is_done is None:
        if decision is None:
            return Repair(item.id, item.state, f"{found}; say --as applied or --as pending", open=True)
        applied = decision == "applied"
        found = f"{found}; recorded as {decision}, as you said"
    else:
        applied = is_done != going_down
        found = f"{found}; recorded as {'applied' if applied else 'pending'}"
    mark = [item.id] if applied and not going_down else []
    unmark = [item.id] if not applied and going_down else []
    run.backend.stamp(mark, unmark, [item.id])
    return Repair(item.id, item.state, found)


def _look(connection: Any, dialect: str, text: str) -> tuple[str, bool | None]:
    """What is there, in words, and whether the statement took effect; None: it cannot be told."""
    if dialect == "postgres":
        from runner.dialects.postgres_indexes import concurrent_index, drop_index, index_state

        for statement in statements(text, "postgres"):
            index = concurrent_index(statement.text)
            if index is None:
                continue
            state, name = index_state(connection, index), ".".join(index.name)
            if state == "invalid":
                drop_index(connection, index)
                return f"the index {name} was left invalid, and is dropped now", index.verb == "DROP"
            if state == "building":
                return f"the index {name} is still being built by its server process", None
            there = f"the index {name} is {'there' if state == 'valid' else 'not there'}"
            return there, (state == "valid") == (index.verb == "CREATE")
    return "whether its statement took effect cannot be told from outside", None


def _realign(run: Runner, item: MigrationStatus, accept: Collection[str]) -> Repair:
    assert item.migration is not None
    if item.state is State.CHANGED and item.id not in accept:
        return Repair(
            item.id, item.state, f"edited since it was applied; if the file is right, say --accept {item.id}", open=True
        )
    run.backend.realign(item.migration)
    return Repair(item.id, item.state, "the ledger has the file's text now")
