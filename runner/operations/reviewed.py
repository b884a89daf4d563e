"""A plan that somebody has reviewed, read back from its file: it is carried out as it was, or not at all."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runner.domain.migration import Migration
from runner.domain.outcome import Direction
from runner.domain.state import Standing
from runner.errors import HistoryError, UsageError
from runner.operations.planning import Plan, schema_fingerprint
from runner.operations.project import Project

FORMAT = 1


@dataclass(frozen=True)
class ReviewedPlan:
    """What was true when the plan was made, and has to be true still."""

    path: Path
    direction: Direction
    target: str
    dialect: str
    applied: tuple[str, ...]
    pending: tuple[str, ...]
    steps: tuple[tuple[str, str, str | None], ...]  # in order: id, and SHA-256 of the apply and the rollback text
    fingerprint: str

    def refuse_if_outdated(self, project: Project, direction: Direction) -> None:
        """Refuse what can be seen to have changed before anything is locked or made."""
        if self.direction is not direction:
            raise UsageError(
                f"{self.path} is the plan of {_a(self.direction)}, and this is {_a(direction)}",
                code="BAD_PLAN",
                hint=f"Use 'maxwell-db {self.direction} --plan {self.path}'.",
            )
        if self.dialect != project.url.dialect:
            raise self._outdated(f"it is for {self.dialect}, and the database is {project.url.dialect}")
        files = {migration.id: migration for migration in project.migrations}
        self._compare_texts([files[id] for id, _, _ in self.steps if id in files])
        if project.is_missing():
            self._compare_state(project, None, project.standing_or_empty())
            return
        with project.connection(read_only=True) as connection:
            self._compare_state(project, connection, project.standing(connection))

    def refuse_if_not_the_same(
        self, project: Project, connection: Any, standing: Standing, migrations: Sequence[Migration]
    ) -> None:
        """Refuse, under the run's lock, whatever differs: the database, the files, or what would run."""
        self._compare_state(project, connection, standing)
        ids = tuple(id for id, _, _ in self.steps)
        now = tuple(migration.id for migration in migrations)
        if ids != now:
            raise self._outdated(f"it has {_listed(ids)}, and now {_listed(now)} would run")
        self._compare_texts(migrations)

    def _compare_texts(self, migrations: Sequence[Migration]) -> None:
        texts = {id: (apply, rollback) for id, apply, rollback in self.steps}
        for migration in migrations:
            apply, rollback = texts[migration.id]
            if (migration.apply.sha256, migration.rollback and migration.rollback.sha256) != (apply, rollback):
                edited = migration.apply if migration.apply.sha256 != apply else migration.rollback or migration.apply
                raise self._outdated(f"{migration.id} was edited", edited.path)

    def _compare_state(self, project: Project, connection: Any, standing: Standing) -> None:
        applied = tuple(item.id for item in standing.applied)
        if applied != self.applied:
            raise self._outdated(f"{_listed(self.applied)} had been applied, and now {_listed(applied)}")
        pending = tuple(item.id for item in standing.pending)
        if pending != self.pending:
            raise self._outdated(f"{_listed(self.pending)} had been pending, and now {_listed(pending)}")
        if schema_fingerprint(project, connection) != self.fingerprint:
            raise self._outdated("the database's schema was changed by something else")

    def _outdated(self, what: str, file: Path | None = None) -> HistoryError:
        return HistoryError(
            f"the plan {self.path} holds no more: {what}",
            code="PLAN_OUTDATED",
            hint="Nothing was changed. Make a new plan, and have it reviewed.",
            file=file,
        )


def plan_document(plan: Plan) -> dict[str, Any]:
    """The part of the JSON answer that ``read_plan`` reads back."""
    return {
        "format": FORMAT,
        "direction": str(plan.direction),
        "target": plan.target,
        "dialect": plan.url.dialect,
        "applied": list(plan.applied),
        "pending": list(plan.pending),
        "fingerprint": plan.fingerprint,
        "steps": [
            {
                "id": step.migration.id,
                "version": step.migration.version,
                "file": str(step.script.path),
                "transactional": step.migration.transactional,
                "apply_sha256": step.migration.apply.sha256,
                "rollback_sha256": step.migration.rollback.sha256 if step.migration.rollback else None,
            }
            for step in plan.steps
        ],
        "sql": plan.sql,
    }


def read_plan(path: Path) -> ReviewedPlan:
    """A plan from the file that ``plan --json`` wrote. UsageError where it is none."""
    try:
        answer = json.loads(path.read_text(encoding="utf-8"))
        document: Mapping[str, Any] = answer.get("plan", answer)
        if document["format"] != FORMAT:
            raise ValueError(f"its format is {document['format']}, and this program reads {FORMAT}")
        return ReviewedPlan(
            path,
            Direction(document["direction"]),
            str(document["target"]),
            str(document["dialect"]),
            tuple(map(str, document["applied"])),
            tuple(map(str, document["pending"])),
            tuple((str(one["id"]), str(one["apply_sha256"]), one["rollback_sha256"]) for one in document["steps"]),
            str(document["fingerprint"]),
        )
    except OSError as error:
        raise UsageError(
            f"the plan {path} cannot be read: {error.strerror}", code="BAD_PLAN", hint="Correct --plan."
        ) from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        reason = f"'{error.args[0]}' is missing" if isinstance(error, KeyError) else str(error)
        raise UsageError(
            f"{path} is not a plan: {' '.join(reason.split())}",
            code="BAD_PLAN",
            hint="Make one: maxwell-db --json plan > plan.json",
        ) from error


def _a(direction: Direction) -> str:
    return "an apply" if direction is Direction.APPLY else "a rollback"


def _listed(ids: Sequence[str]) -> str:
    if len(ids) > 3:
        return f"{len(ids)} migrations up to {ids[-1]}"
    return ", ".join(ids) or "nothing"
