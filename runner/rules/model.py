"""What a rule is, what it looks at, and what it finds."""

from __future__ import annotations

import bisect
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from runner.domain import ddl
from runner.domain.migration import Dialect, Migration, Script
from runner.domain.sql import Token, statements, tokens

Severity = Literal["error", "warn"]


@dataclass(frozen=True)
class Finding:
    """What a rule found, and where: line and column count from 1. ``source`` is the text of the line."""

    rule: str
    severity: Severity
    file: Path
    line: int
    column: int
    message: str
    hint: str
    source: str = ""


@dataclass(frozen=True)
class Rule:
    """One rule. ``problem`` and ``solution`` are what the manual says of it; the examples are SQL."""

    id: str
    name: str  # kebab-case; the module's name has underscores
    severity: Severity
    problem: str
    solution: str
    example: str  # of what it finds


class Statement:
    """One statement of a file, read when it is first asked for more than its text."""

    def __init__(self, text: str, start: int, dialect: Dialect) -> None:
        self.text, self.start, self.dialect = text, start, dialect

    @cached_property
    def tokens(self) -> list[Token]:
        """Its tokens without the comments; their offsets count from the start of the statement."""
        return [token for token in tokens(self.text, self.dialect) if token.kind != "comment"]

    @cached_property
    def words(self) -> list[str]:
        """The tokens' text, in upper case but for quoted names and literals."""
        return [token.text.upper() if token.kind == "word" else token.text for token in self.tokens]

    @cached_property
    def effects(self) -> tuple[ddl.Effect, ...]:
        """What it does to the schema; offsets count from the start of the file."""
        return tuple(ddl.read_effects(self.tokens, self.dialect, self.start))

    def starts(self, *words: str) -> bool:
        return self.words[: len(words)] == list(words)

    def offset(self, index: int) -> int:
        """Where in the file a token begins."""
        return self.start + self.tokens[min(index, len(self.tokens) - 1)].start


class File:
    """An apply file or a rollback file, with its statements."""

    def __init__(self, script: Script, dialect: Dialect, migration: Migration, direction: str) -> None:
        self.path, self.text = script.path, script.text
        self.dialect, self.migration, self.direction = dialect, migration, direction

    @property
    def is_apply(self) -> bool:
        return self.direction == "apply"

    @cached_property
    def statements(self) -> tuple[Statement, ...]:
        found = statements(self.text, self.dialect)
        return tuple(Statement(statement.text, statement.start, self.dialect) for statement in found)

    @cached_property
    def _line_starts(self) -> list[int]:
        return [0, *(match.end() for match in re.finditer("\n", self.text))]

    def place(self, offset: int) -> tuple[int, int]:
        """Line and column of an offset, from 1."""
        line = bisect.bisect_right(self._line_starts, offset)
        return line, offset - self._line_starts[line - 1] + 1

    def line(self, number: int) -> str:
        starts = self._line_starts
        if not 1 <= number <= len(starts):
            return ""
        end = starts[number] - 1 if number < len(starts) else len(self.text)
        return self.text[starts[number - 1] : end]

    def finding(
        self, rule: Rule, offset: int, message: str, hint: str = "", severity: Severity | None = None
    ) -> Finding:
        """A finding of a rule at an offset of this file; its hint is the rule's solution unless there is a better."""
        line, column = self.place(offset)
        return Finding(
            rule.name,
            severity or rule.severity,
            self.path,
            line,
            column,
            message,
            hint or rule.solution,
            self.line(line),
        )


@dataclass(frozen=True)
class Base:
    """What the main branch has: the text of each file that is there, by its path here, and the newest id by folder."""

    ref: str
    texts: Mapping[Path, str]
    newest: Mapping[Path, str]


@dataclass(frozen=True)
class Tree:
    """The migrations of one dialect, or of both, as files. ``chosen`` are those that were asked about."""

    folders: Mapping[Dialect, Path]
    migrations: Mapping[Dialect, Sequence[Migration]]
    base: Base | None = None
    only: frozenset[Path] | None = None  # None: all of them
    walked: dict[Dialect, Any] = field(default_factory=dict, compare=False, repr=False)  # kept by outlines
    _files: dict[Path, File] = field(default_factory=dict, compare=False, repr=False)

    def apply(self, migration: Migration) -> File:
        return self._file(migration.apply, migration, "apply")

    def rollback(self, migration: Migration) -> File | None:
        return self._file(migration.rollback, migration, "rollback") if migration.rollback else None

    def _file(self, script: Script, migration: Migration, direction: str) -> File:
        file = self._files.get(script.path)
        if file is None:
            file = self._files[script.path] = File(script, migration.dialect, migration, direction)
        return file

    def files(self, dialect: Dialect) -> Iterator[File]:
        """Every file of a dialect, each apply file before its rollback."""
        for migration in self.migrations[dialect]:
            yield self.apply(migration)
            if rollback := self.rollback(migration):
                yield rollback

    def is_chosen(self, path: Path) -> bool:
        return self.only is None or path in self.only

    @property
    def chosen(self) -> Iterator[File]:
        """The files that were asked about, of all dialects."""
        for dialect in self.migrations:
            for file in self.files(dialect):
                if self.is_chosen(file.path):
                    yield file


Check = Callable[[Tree], Iterator[Finding]]
