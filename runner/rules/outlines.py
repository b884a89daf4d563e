"""The schema at each version as the files say it is, for rules that look across files."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from runner.domain.migration import Dialect
from runner.domain.outline import Outline
from runner.rules.model import File, Tree

Thing = tuple[str, str]

#: What may do anything to a schema, and does not say what.
_OPAQUE = {"DO", "CALL", "EXECUTE"}
_CHANGES = re.compile(r"\b(?:CREATE|ALTER|DROP|EXECUTE|PERFORM(?!\s+pg_sleep\b)|CALL|SELECT\s+INTO)\b", re.IGNORECASE)


@dataclass
class Step:
    """One migration up and down again: what was there before, after it, and after its rollback."""

    apply: File
    rollback: File | None
    before: frozenset[Thing] = frozenset()
    after: frozenset[Thing] = frozenset()
    final: frozenset[Thing] = frozenset()
    drops: dict[Thing, int] = field(default_factory=dict)  # what the rollback drops by name, and where
    unknown: list[tuple[int, str, str]] = field(default_factory=list)  # what it drops, and is not there
    tables: dict[str, str] = field(default_factory=dict)  # of each index and trigger, before the rollback
    opaque: bool = False  # it has statements whose effect cannot be seen, or comes after such

    def owner(self, kind: str, name: str) -> str:
        """The table that a thing goes with."""
        return self.tables.get(name, "") if kind in ("index", "trigger") else name.rpartition(".")[0]


def steps(tree: Tree) -> tuple[Step, ...]:
    """The steps of the migrations that were asked about, of all dialects."""
    return tuple(
        step
        for dialect in tree.migrations
        for step in _walk(tree, dialect)[0]
        if tree.is_chosen(step.apply.path) or (step.rollback and tree.is_chosen(step.rollback.path))
    )


def head(tree: Tree, dialect: Dialect) -> Outline:
    """The schema after all migrations of a dialect."""
    return _walk(tree, dialect)[1]


def _walk(tree: Tree, dialect: Dialect) -> tuple[list[Step], Outline]:
    if dialect not in tree.walked:
        tree.walked[dialect] = _walked(tree, dialect)
    walked: tuple[list[Step], Outline] = tree.walked[dialect]
    return walked


def _walked(tree: Tree, dialect: Dialect) -> tuple[list[Step], Outline]:
    outline, found, opaque = Outline(), [], False
    for migration in tree.migrations[dialect]:
        file, rollback = tree.apply(migration), tree.rollback(migration)
        opaque = opaque or _is_opaque(file)
        step = Step(file, rollback, opaque=opaque or bool(rollback and _is_opaque(rollback)))
        chosen = rollback is not None and tree.is_chosen(rollback.path)
        names = _names(file, rollback) if chosen else frozenset()
        step.before = frozenset(outline.things(names))
        for statement in file.statements:
            for effect in statement.effects:
                outline.follow(effect, file)
        if chosen and rollback is not None:
            step.after = frozenset(outline.things(names))
            _go_back(step, rollback, outline.copy(), names)
        found.append(step)
    return found, outline


def _names(*files: File | None) -> frozenset[str]:
    """Whatever a migration names: nothing else can be other after it."""
    return frozenset(
        name
        for file in files
        for statement in (file.statements if file else ())
        for effect in statement.effects
        for name in (effect.name, effect.table, effect.to)
        if name
    )


def _go_back(step: Step, rollback: File, outline: Outline, names: frozenset[str]) -> None:
    step.tables = {name: index.table for name, index in outline.indexes.items()}
    step.tables |= {name: table for (name, _), table in outline.triggers.items()}
    for statement in rollback.statements:
        for effect in statement.effects:
            there = outline.follow(effect)
            if effect.verb == "create":
                continue
            name = f"{effect.table}.{effect.name}" if effect.kind in ("column", "constraint") else effect.name
            if not there:
                step.unknown.append((effect.start, effect.kind, name))
            elif effect.verb == "drop":
                step.drops[(effect.kind, name)] = effect.start
    step.final = frozenset(outline.things(names))


def _is_opaque(file: File) -> bool:
    """On PostgreSQL a block of code may do anything that it has a word for, and CASCADE takes along what it finds."""
    return file.dialect == "postgres" and any(
        (statement.words[0] in _OPAQUE and _CHANGES.search(statement.text))
        or (statement.words[0] in ("DROP", "ALTER") and "CASCADE" in statement.words)
        for statement in file.statements
    )
