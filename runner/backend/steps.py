"""Our migrations as yoyo knows them: its order and its steps, without its parser and its savepoints."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from yoyo.migrations import Migration as YoyoMigration
from yoyo.migrations import MigrationList, StepBase

from runner.domain.migration import Migration, Script
from runner.domain.outcome import Direction


class RunsScripts(Protocol):
    """What a step asks of a backend."""

    def run_script(self, script: Script) -> None: ...


class Step(StepBase):  # type: ignore[misc]  # yoyo is untyped
    """A whole file as one of yoyo's steps, without the savepoint that yoyo puts around each statement."""

    def __init__(self, migration: Migration) -> None:
        self.migration = migration

    def apply(self, backend: RunsScripts, force: bool = False) -> None:
        backend.run_script(self.migration.apply)

    def rollback(self, backend: RunsScripts, force: bool = False) -> None:
        assert self.migration.rollback is not None  # operations refuse what is irreversible
        backend.run_script(self.migration.rollback)


class SqlMigration(YoyoMigration):  # type: ignore[misc]
    """A migration of ours as yoyo knows one. yoyo's own reader parses every file with sqlparse, even to list it."""

    def __init__(self, migration: Migration, known: Mapping[str, SqlMigration]) -> None:
        super().__init__(migration.id, str(migration.apply.path), str(migration.apply.path.parent))
        self.migration = migration
        self._known = known

    def script(self, direction: Direction) -> Script:
        """The text that runs in a direction."""
        script = self.migration.apply if direction is Direction.APPLY else self.migration.rollback
        assert script is not None  # operations refuse what is irreversible
        return script

    def load(self) -> None:
        if not self.loaded:
            # Not from yoyo's class-wide registry, which mixes up two dialects' folders in one process.
            self._depends = {self._known[id] for id in self.migration.depends if id in self._known}
            self.use_transactions = self.migration.transactional
            self.steps = [Step(self.migration)]


def as_yoyo(migrations: Sequence[Migration]) -> MigrationList:
    """A list that yoyo can sort by dependency and compare with the marks."""
    known: dict[str, SqlMigration] = {}
    for migration in migrations:
        known[migration.id] = SqlMigration(migration, known)
    return MigrationList(known.values())
