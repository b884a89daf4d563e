"""Review migrations without running them: every problem of every file, in one go and without a database."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from runner.domain.migration import Dialect, Migration
from runner.errors import FolderError, UsageError
from runner.operations.branch import read_base
from runner.operations.squawk import SquawkRun, run_squawk
from runner.rules import checks, rule_of, rules
from runner.rules.ignoring import SQUAWK, Suppression, suppress, suppressions
from runner.rules.model import Base, Finding, Tree
from runner.sources.folder import read_folder

DIALECTS: tuple[Dialect, ...] = ("sqlite", "postgres")
Squawk = Literal["auto", "require", "off"]


@dataclass(frozen=True)
class LintReport:
    """What was looked at, and what was found, in the order of files and lines."""

    files: tuple[Path, ...]
    findings: tuple[Finding, ...]
    suppressed: int
    squawk: SquawkRun

    @property
    def errors(self) -> int:
        return sum(finding.severity == "error" for finding in self.findings)

    @property
    def warnings(self) -> int:
        return len(self.findings) - self.errors


@dataclass(frozen=True)
class Scope:
    """What to look at: a folder for each dialect, and the files of them, if not all."""

    folders: Mapping[Dialect, Path]
    only: frozenset[Path] | None = None


def lint(
    sql: Path,
    dialect: Callable[[], Dialect],
    paths: Sequence[Path] = (),
    *,
    since: str | None = None,
    squawk: Squawk = "auto",
    ignore: Collection[str] = (),
) -> LintReport:
    """Review ``paths``, files or folders of migrations; without any, the whole of ``sql``.

    ``dialect`` tells that of a folder that neither has a folder for each dialect nor is called after one. ``since`` is
    a git reference: what is there must not be edited here. ``ignore`` are rules to leave out. Needs no database and
    writes nothing. UsageError for paths, references and rules that are not there.
    """
    _refuse_unknown_rules(ignore)
    ran = SquawkRun.off() if squawk == "off" else None
    files: list[Path] = []
    findings: list[Finding] = []
    suppressed = 0
    for scope in scopes(sql, dialect, paths):
        base = read_base(scope.folders, since) if since is not None else None
        tree, found = _review(scope, base)
        mine = list(tree.chosen)
        files += [file.path for file in mine]
        if ran is None or ran.status == "ran":
            one = run_squawk(
                [file for file in mine if file.dialect == "postgres" and file.is_apply], squawk == "require"
            )
            found += one.findings
            ran = one
        kept, count = _settle(tree, found, squawked=ran is not None and ran.status == "ran")
        findings += kept
        suppressed += count
    findings = [finding for finding in findings if finding.rule not in ignore]
    return LintReport(tuple(files), _sorted(findings), suppressed, ran or SquawkRun.off())


def lint_files(folder: Path, dialect: Dialect, files: Iterable[Path]) -> tuple[Finding, ...]:
    """What our own rules find in some files of one dialect's folder; the others are read for what they made."""
    tree, found = _review(Scope({dialect: folder}, frozenset(files)), None)
    kept, _ = _settle(tree, found, squawked=False)
    return _sorted(kept)


def _review(scope: Scope, base: Base | None) -> tuple[Tree, list[Finding]]:
    """The files, and what the reader of the folder and the rules have against them."""
    problems: list[FolderError] = []
    nothing: FolderError | None = None
    migrations: dict[Dialect, tuple[Migration, ...]] = {}
    for dialect, folder in scope.folders.items():
        try:
            migrations[dialect] = read_folder(folder, dialect, problems.append)
        except FolderError as empty:  # no migrations at all
            migrations[dialect], nothing = (), empty
    if nothing is not None and not problems and not any(migrations.values()):
        raise nothing
    tree = Tree(scope.folders, migrations, base, scope.only)
    by_path = {file.path: file for dialect in migrations for file in tree.files(dialect)}
    found = []
    for problem in problems:
        assert problem.file is not None  # every refusal names one
        rule, file, line = rule_of(problem), by_path.get(problem.file), problem.line or 1
        source = file.line(line) if file else ""
        column = len(source) - len(source.lstrip()) + 1
        hint = problem.hint or rule.solution
        found.append(Finding(rule.name, rule.severity, problem.file, line, column, problem.message, hint, source))
    for check in checks():
        found += check(tree)
    return tree, [finding for finding in found if _is_asked_about(finding.file, tree)]


def _is_asked_about(path: Path, tree: Tree) -> bool:
    return tree.is_chosen(path) or not path.exists()


def _settle(tree: Tree, found: list[Finding], *, squawked: bool) -> tuple[list[Finding], int]:
    """Take away what is suppressed, and add what is wrong with the suppressions."""
    names = {rule.name for rule in rules()}
    known: list[Suppression] = []
    for file in tree.chosen:
        mine, wrong = suppressions(file, names)
        known += mine
        found += wrong
    # In one dialect, or without a branch to compare with, some rules had nothing to look at.
    silent = {"missing-dialect", "dialects-differ"} if len(tree.folders) < 2 else set()
    silent |= {"edited-migration", "behind-main"} if tree.base is None else set()
    return suppress(found, known, {*(names - silent), *([SQUAWK] if squawked else [])})


def _sorted(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    return tuple(sorted(findings, key=lambda one: (str(one.file), one.line, one.column, one.rule)))


def scopes(sql: Path, dialect: Callable[[], Dialect], paths: Sequence[Path]) -> list[Scope]:
    """The folders to read for ``paths``, and of each the files that are asked about. UsageError for a path that is
    not there, or that is no migration."""
    if not paths:
        return [Scope(_folders(sql, dialect))]
    chosen: dict[tuple[tuple[Dialect, Path], ...], set[Path] | None] = {}
    for path in paths:
        if not path.exists():
            raise UsageError(f"no such file or folder: {path}", code="NO_SUCH_FILE", hint="Correct the path.")
        folders, files = _place(path, dialect)
        key = tuple(folders.items())
        if files is None or chosen.get(key, set()) is None:
            chosen[key] = None
        else:
            chosen.setdefault(key, set()).update(files)  # type: ignore[union-attr]
    return [Scope(dict(key), None if files is None else frozenset(files)) for key, files in chosen.items()]


def _place(path: Path, dialect: Callable[[], Dialect]) -> tuple[dict[Dialect, Path], set[Path] | None]:
    """The folders that a path belongs to, and the files that it means; None: all."""
    if path.is_dir():
        folders = _folders(path, dialect)
        if path.name in DIALECTS and len(both := _folders(path.parent, dialect)) == 2:
            return both, set(path.glob("*.sql"))
        return folders, None
    if path.suffix != ".sql":
        raise UsageError(f"{path} is no SQL file", code="NO_SUCH_FILE", hint="Name .sql files, or folders of them.")
    folder = path.parent
    if folder.name in DIALECTS and len(both := _folders(folder.parent, dialect)) == 2:
        return both, {path}
    return _folders(folder, dialect), {path}


def _folders(root: Path, dialect: Callable[[], Dialect]) -> dict[Dialect, Path]:
    """``ROOT/sqlite`` and ``ROOT/postgres``, as far as they are there; else ROOT itself, of the dialect it is called
    after, or of ``dialect``."""
    if not root.is_dir():
        raise UsageError(
            f"no such folder: {root}", code="NO_SUCH_FOLDER", hint="Name your migrations' folder with --sql DIR."
        )
    found: dict[Dialect, Path] = {name: root / name for name in DIALECTS if (root / name).is_dir()}
    if found:
        return found
    named: list[Dialect] = [name for name in DIALECTS if root.resolve().name == name]
    return {named[0] if named else dialect(): root}


def _refuse_unknown_rules(names: Collection[str]) -> None:
    known = {rule.name for rule in rules()}
    for name in names:
        if name not in known and not name.startswith(SQUAWK):
            raise UsageError(
                f"there is no rule '{name}'",
                code="UNKNOWN_RULE",
                hint=f"Correct --ignore; the rules are {', '.join(sorted(known))}.",
            )
