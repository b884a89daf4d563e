"""Begin a migration: both files in each dialect, named by time, after the newest there is."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from runner.domain.migration import Dialect, Migration, version_key
from runner.domain.outcome import Direction
from runner.errors import MaxwellError, UsageError
from runner.operations.pattern_values import Choice, pattern_values
from runner.patterns import BLANK, PATTERNS, Pattern, fill
from runner.sources.folder import read_folder
from runner.sources.place import APPLY, ROLLBACK

_NAME = re.compile(r"[a-z][a-z0-9]*_[a-z][a-z0-9]*_[a-z0-9]+(?:_[a-z0-9]+)*")
_STAMP = re.compile(r"\d{8}_\d{4}(?=_)")
BUMPS = ("major", "minor", "patch")
DIALECTS: tuple[Dialect, ...] = ("sqlite", "postgres")


@dataclass(frozen=True)
class NewMigration:
    """What was written."""

    id: str
    files: tuple[Path, ...]
    version: str | None
    revision: str | None
    depends: str | None  # the newest migration before it


def new(
    folders: Mapping[Dialect, Path],
    name: str,
    pattern: str | None,
    choice: Choice,
    *,
    bump: str = "minor",
    now: datetime | None = None,
) -> NewMigration:
    """Write a migration's files into ``folders``, which are made where they are missing; all of them, or none.

    ``name`` is ``<phase>_<feature>_<action>``. What is there must be right, and is not touched. UsageError for a name
    or a choice that cannot be; FolderError for a folder that would be refused anyway.
    """
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"'{name}' is not <phase>_<feature>_<action> in small letters, digits and '_'",
            code="BAD_NAME",
            hint="For example: phase4_notes_add_table. The time comes before it by itself.",
        )
    chosen = BLANK if pattern is None else PATTERNS[pattern]
    there = {dialect: _read(folder, dialect) for dialect, folder in folders.items()}
    every = sorted(
        {one.id: one for migrations in there.values() for one in migrations}.values(), key=lambda one: one.id
    )
    id = f"{_stamp(every, now or datetime.now(UTC))}_{name}"
    version, revision = _next_version(every, bump), _next_revision(every, name)
    texts: dict[Path, str] = {}
    for dialect, folder in folders.items():
        values = pattern_values(chosen, choice, dialect, folder, there[dialect])
        head = [f"-- depends: {there[dialect][-1].id}"] if there[dialect] else []
        head += [f"-- version: {version}"] if version else []
        head += [f"-- revision: {revision}"] if revision else []
        head += [f"-- dialects: {dialect}"] if len(folders) == 1 and _has_other(folder, dialect) else []
        texts[folder / f"{id}{APPLY}"] = _with_header(_fill(chosen, dialect, Direction.APPLY, values), head)
        texts[folder / f"{id}{ROLLBACK}"] = _fill(chosen, dialect, Direction.ROLLBACK, values)
    _write_all(texts)
    return NewMigration(id, tuple(texts), version, revision, every[-1].id if every else None)


def _read(folder: Path, dialect: Dialect) -> tuple[Migration, ...]:
    return read_folder(folder, dialect) if folder.is_dir() and any(folder.glob("*.sql")) else ()


def _has_other(folder: Path, dialect: Dialect) -> bool:
    """Is this one of two folders, so that the migration is missing in the other on purpose?"""
    other = "postgres" if dialect == "sqlite" else "sqlite"
    return folder.name == dialect and (folder.parent / other).is_dir()


def _stamp(every: Sequence[Migration], now: datetime) -> str:
    """The time by which it sorts after all that is there: now, or the minute after the newest."""
    stamp = now.strftime("%Y%m%d_%H%M")
    if not every or every[-1].id < stamp:
        return stamp
    match = _STAMP.match(every[-1].id)
    if match:
        try:
            later = datetime.strptime(match[0], "%Y%m%d_%H%M") + timedelta(minutes=1)
        except ValueError:
            pass
        else:
            return later.strftime("%Y%m%d_%H%M")
    raise UsageError(
        f"no name that begins with a time sorts after {every[-1].id}",
        code="BAD_NAME",
        hint="Write the files by hand, under a name that sorts after it.",
    )


def _next_version(every: Sequence[Migration], bump: str) -> str | None:
    """The version after the newest; None in a project that counts none."""
    versions = [one.version for one in every if one.version]
    if every and not versions:
        return None
    if not versions:
        return "1.0.0"
    numbers = list(version_key(versions[-1])[:3])
    place = BUMPS.index(bump)
    return ".".join(map(str, [*numbers[:place], numbers[place] + 1, *[0] * (2 - place)]))


def _next_revision(every: Sequence[Migration], name: str) -> str | None:
    """The next number and what it is about; None in a project that names none."""
    revisions = [one.revision for one in every if one.revision]
    if every and not revisions:
        return None
    numbers = [int(match[0]) for revision in revisions if (match := re.match(r"\d+", revision))]
    return f"{max(numbers, default=len(every)) + 1:03}_{name.partition('_')[2]}"


def _fill(pattern: Pattern, dialect: Dialect, direction: Direction, values: Mapping[str, str]) -> str:
    return fill(pattern.text(dialect, direction), values)


def _with_header(text: str, lines: Sequence[str]) -> str:
    """The directives between the sentence and what the pattern says itself."""
    sentence, rest = text.split("\n", 1)
    return "\n".join([sentence, *lines, rest])


def _write_all(texts: Mapping[Path, str]) -> None:
    made: list[Path] = []
    try:
        for path, text in texts.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("x", encoding="utf-8", newline="\n") as file:
                made.append(path)
                file.write(text)
    except OSError as error:
        for path in made:
            path.unlink(missing_ok=True)
        raise MaxwellError(
            f"cannot write {error.filename}: {error.strerror}",
            code="CANNOT_WRITE",
            hint="Nothing was written. Nothing that is there is ever written over; check the folder's permissions.",
        ) from error


def target_folders(root: Path, dialect: Dialect | None, database: Callable[[], Dialect]) -> dict[Dialect, Path]:
    """The folders of the dialects that a migration is to be written for, by the shape of ``root``.

    One folder for each dialect, if there are such, or nothing is there yet; else ``root`` is of one dialect: the one it
    is called after, or that of the ``database``.
    """
    inside = [name for name in DIALECTS if (root / name).is_dir()]
    flat = not inside and root.is_dir() and any(root.glob("*.sql"))
    if flat or root.name in DIALECTS:
        own = root.name if root.name in DIALECTS else None
        if dialect and own and dialect != own:
            raise UsageError(f"{root} is of {own}", code="USAGE", hint="Correct --sql or --dialect.")
        return {dialect or next((name for name in DIALECTS if name == own), None) or database(): root}
    wanted = [dialect] if dialect else inside or list(DIALECTS)
    return {name: root / name for name in wanted}
