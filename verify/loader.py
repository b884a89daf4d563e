"""Check files: a comment header, then one SELECT of violations."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from verify.errors import VerifyError
from verify.model import Check, Severity
from verify.quoting import Dialect
from verify.statements import single_statement

BUILT_IN = Path(__file__).parent / "checks"
COLUMNS = ("table_name", "row_key", "detail")

_NEWER_VERSION = 16  # knows IS JSON
_NEWER = f"postgres-{_NEWER_VERSION}"

_KEY = re.compile(r"--\s*([a-z][a-z_-]*)\s*:\s*(.*)$")
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]*$")
_SEVERITIES: dict[str, Severity] = {"error": "error", "warn": "warn"}
_HEADER_HINT = (
    "A header is: -- check: NAME, -- severity: error|warn, -- requires: tables; then a sentence; then a SELECT."
)


def load_checks(dialect: Dialect, folders: Sequence[Path] = (), version: int = 0) -> tuple[Check, ...]:
    """The checks that come with the package and those of ``folders``, by name; ``version`` is PostgreSQL's (16).

    A folder holds ``NAME.sql`` files, or sub-folders ``common``, ``sqlite`` and ``postgres`` with such files; a
    dialect's file replaces the common one of its name, and one of ``postgres-16`` both, from that version on.

    Raises VerifyError, naming file and line, for a folder that is not there or holds no checks, a file that breaks the
    rules, and a name that comes from two places.
    """
    checks: dict[str, Check] = {}
    for found in (_built_in(dialect, version), *(_read_folder(folder, dialect, version) for folder in folders)):
        for check in found:
            other = checks.setdefault(check.name, check)
            if other is not check:
                raise _bad(check.path, 1, f'the check "{check.name}" is there already: {other.path}', "DUPLICATE_CHECK")
    return tuple(checks[name] for name in sorted(checks))


@cache
def _built_in(dialect: Dialect, version: int) -> tuple[Check, ...]:
    """A run of several migrations verifies several times; the package's own files stay as they are."""
    return _read_folder(BUILT_IN, dialect, version)


def _read_folder(folder: Path, dialect: Dialect, version: int) -> tuple[Check, ...]:
    if not folder.is_dir():
        raise VerifyError(
            f"no such folder of checks: {folder}", code="NO_SUCH_FOLDER", hint="Name a folder of .sql files."
        )
    flat = _read_files(folder)
    common = _read_files(folder / "common")
    own = _read_files(folder / dialect)
    newer = _read_files(folder / _NEWER)
    if dialect == "postgres" and version >= _NEWER_VERSION:
        own |= newer
    others = [name for name in ("sqlite", "postgres", _NEWER) if name != dialect]
    if not (flat or common or own or any(_read_files(folder / name) for name in others)):
        raise VerifyError(f"no checks in {folder}", code="NO_CHECKS", hint="A check is a file NAME.sql in that folder.")
    # The same check flat and in a sub-folder: load_checks finds the double.
    return (*flat.values(), *(common | own).values())


def _read_files(folder: Path) -> dict[str, Check]:
    if not folder.is_dir():
        return {}
    files = [path for path in folder.iterdir() if path.suffix.lower() == ".sql" and path.is_file()]
    return {check.name: check for check in map(read_check, sorted(files))}


def read_check(path: Path) -> Check:
    """One check file. Raises VerifyError, naming file and line, if it breaks a rule."""
    lines = _text_of(path).split("\n")
    given: dict[str, str] = {}
    sentences: list[str] = []
    start = 0
    for start, line in enumerate(lines):
        stripped = line.strip()
        if stripped and not stripped.startswith("--"):
            break
        if match := _KEY.match(stripped):
            key, value = match[1], match[2].strip()
            if key not in ("check", "severity", "requires"):
                raise _bad(path, start + 1, f'unknown header key "{key}"')
            if key in given and key != "requires":  # a long list may take several lines
                raise _bad(path, start + 1, f'the header key "{key}" stands twice')
            given[key] = f"{given.get(key, '')} {value}".strip()
        elif words := stripped.removeprefix("--").strip():
            sentences.append(words)
    sql = _one_select(path, lines, start)
    return Check(
        name=_name_of(path, given),
        kind="check",
        severity=_severity_of(path, given),
        sql=sql,
        requires=_requires_of(path, given),
        summary=_summary_of(path, sentences),
        path=path,
        line=start + 1,
    )


def _text_of(path: Path) -> str:
    if path.suffix != ".sql":
        raise _bad(path, 1, "the file's name must end in .sql, in lower case")
    try:
        data = path.read_bytes()
        text = data.decode("utf-8")
    except OSError as error:
        raise _bad(path, 1, f"cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise _bad(path, data[: error.start].count(b"\n") + 1, "not UTF-8") from error
    if text.startswith("\ufeff"):
        raise _bad(path, 1, "begins with a byte order mark; save it as plain UTF-8")
    if "\0" in text:
        raise _bad(path, text[: text.index("\0")].count("\n") + 1, "holds a NUL character")
    return text.replace("\r\n", "\n")


def _name_of(path: Path, given: dict[str, str]) -> str:
    name = given.get("check")
    if name is None:
        raise _bad(path, 1, 'the header has no "-- check: NAME"')
    if not _NAME.match(name):
        raise _bad(path, 1, f'"{name}" is no name for a check: small letters, digits, "-", "_" and "." only')
    if name != path.stem:
        raise _bad(path, 1, f'the check is called "{name}", its file "{path.name}"')
    return name


def _severity_of(path: Path, given: dict[str, str]) -> Severity:
    word = given.get("severity")
    if word not in _SEVERITIES:
        found = "is missing" if word is None else f'is "{word}"'
        raise _bad(path, 1, f"the severity {found}; it must be error or warn")
    return _SEVERITIES[word]


def _requires_of(path: Path, given: dict[str, str]) -> tuple[str, ...]:
    names = tuple(given.get("requires", "").replace(",", " ").split())
    if "requires" in given and not names:
        raise _bad(path, 1, "requires names no table")
    for name in names:
        if not all(name.split(".")) or name.count(".") > 1:
            raise _bad(path, 1, f'"{name}" in requires is neither table nor table.column')
    return names


def _summary_of(path: Path, sentences: list[str]) -> str:
    if not sentences:
        raise _bad(path, 1, "the header does not say, in a sentence, what must hold")
    return " ".join(sentences)


def _one_select(path: Path, lines: list[str], start: int) -> str:
    text = "\n".join(lines[start:])
    first, sql, second = single_statement(text)
    if first not in ("SELECT", "WITH"):
        found = f'it begins with "{first}"' if first and not first.startswith("-") else "there is none"
        raise _bad(path, start + 1, f"after the header comes one SELECT; {found}")
    if second is not None:
        line = start + 1 + text[:second].count("\n")
        raise _bad(path, line, "a second statement begins here; a check is one SELECT")
    return sql


def _bad(path: Path | None, line: int, message: str, code: str = "BAD_CHECK") -> VerifyError:
    return VerifyError(message, code=code, hint=_HEADER_HINT, file=path, line=line)
