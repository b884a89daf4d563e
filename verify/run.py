"""Run the checks: read-only, in one snapshot, however many rows are wrong."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from pathlib import Path
from time import perf_counter
from typing import Any

from verify.catalog import BOOKKEEPING_TABLES, Catalog, ForeignKey
from verify.counts import count_rows
from verify.errors import VerifyError
from verify.foreign_key_check import compare_with_pragma
from verify.found import Found
from verify.generic import FOREIGN_KEY_CHECK, INTEGRITY_CHECK, integrity_checks, key_checks
from verify.loader import COLUMNS, load_checks
from verify.model import Check, CheckResult, VerifyReport
from verify.orphans import orphan_checks
from verify.reader import Reader, one_line, reading

__all__ = ["BOOKKEEPING_TABLES", "list_checks", "row_counts", "select", "verify"]

Progress = Callable[[Check, int, int], None]  # the check about to run, its place (from 1), how many there are


def verify(
    connection: Any,
    dialect: str,
    *,
    checks_dirs: Sequence[Path] = (),
    only: Collection[str] = (),
    sample: int = 5,
    snapshot: bool = True,
    ignore_tables: Collection[str] = BOOKKEEPING_TABLES,
    before: VerifyReport | None = None,
    progress: Progress | None = None,
) -> VerifyReport:
    """Run the checks on an open connection and report every violation, writing nothing.

    ``connection`` is a sqlite3 connection with ``isolation_level=None``, or a psycopg2 one in autocommit mode.
    With ``snapshot`` all checks see one moment, in a read-only transaction that is opened and ended here. Without,
    they run inside the transaction that the caller has open, see its changes, and leave it as they found it, also
    when a check fails. ``only`` names checks, whole or as patterns (``orphan:*``). Of each check's violations the
    first ``sample`` are kept whole; those that ``before`` did not have come first.

    Raises VerifyError for a bad check file, an unknown name in ``only``, and a check that the database refuses.
    """
    with reading(connection, dialect, snapshot=snapshot) as reader:
        catalog = _read_catalog(reader, ignore_tables)
        keys = {check.name: key for check, key in orphan_checks(catalog)}
        checks = select(_all_checks(catalog, checks_dirs), only)
        runner = _Runner(reader, catalog, sample, before, frozenset(only))
        for place, check in enumerate(checks, 1):
            if progress is not None:
                progress(check, place, len(checks))
            runner.run(check, keys)
        return VerifyReport(tuple(runner.results.values()), count_rows(reader, catalog))


def list_checks(
    connection: Any,
    dialect: str,
    checks_dirs: Sequence[Path] = (),
    *,
    ignore_tables: Collection[str] = BOOKKEEPING_TABLES,
) -> tuple[Check, ...]:
    """The checks that ``verify`` would run on this database, generated ones too, in the order it would run them."""
    with reading(connection, dialect, snapshot=True) as reader:
        return _all_checks(_read_catalog(reader, ignore_tables), checks_dirs)


def row_counts(connection: Any, dialect: str, *, ignore_tables: Collection[str] = BOOKKEEPING_TABLES) -> dict[str, int]:
    """The rows of each user table, as a report of ``verify`` has them, without running a check."""
    with reading(connection, dialect, snapshot=True) as reader:
        return count_rows(reader, _read_catalog(reader, ignore_tables))


def select(checks: Sequence[Check], only: Collection[str]) -> tuple[Check, ...]:
    """The checks that ``only`` names, in their own order; all of them if it names none.

    A name is taken whole if there is such a check, else as a pattern. Raises VerifyError for one that fits nothing.
    """
    if not only:
        return tuple(checks)
    chosen: set[str] = set()
    for wanted in only:
        fitting = _fitting(checks, wanted)
        if not fitting:
            raise _unknown_check(checks, wanted)
        chosen |= fitting
    return tuple(check for check in checks if check.name in chosen)


def _fitting(checks: Iterable[Check], wanted: str) -> set[str]:
    from fnmatch import fnmatchcase

    names = {check.name for check in checks}
    return {wanted} if wanted in names else {name for name in names if fnmatchcase(name, wanted)}


def _unknown_check(checks: Iterable[Check], wanted: str) -> VerifyError:
    from difflib import get_close_matches

    near = get_close_matches(wanted, [check.name for check in checks], n=5, cutoff=0.5)
    hint = f"Did you mean: {', '.join(near)}?" if near else "--list shows all of them."
    return VerifyError(f'there is no check "{wanted}"', code="UNKNOWN_CHECK", hint=hint)


def _read_catalog(reader: Reader, ignore_tables: Collection[str]) -> Catalog:
    try:
        if reader.dialect == "sqlite":
            from verify.catalog_sqlite import read_catalog
        else:
            from verify.catalog_postgres import read_catalog
        return read_catalog(reader, ignore_tables)
    except reader.errors as error:
        raise VerifyError(
            f"the catalog cannot be read: {one_line(error)}", code="CATALOG_UNREADABLE", exit_code=1
        ) from error


def _all_checks(catalog: Catalog, checks_dirs: Sequence[Path]) -> tuple[Check, ...]:
    integrity = integrity_checks(catalog)
    first = [check for check in integrity if check.name == INTEGRITY_CHECK]  # of a damaged file nothing else is sure
    rest = [check for check in integrity if check.name != INTEGRITY_CHECK]
    orphans = [check for check, _ in orphan_checks(catalog)]
    return (*first, *orphans, *key_checks(catalog), *rest, *load_checks(catalog.dialect, checks_dirs))


class _Runner:
    """Runs one check after the other and keeps the results by name."""

    def __init__(
        self, reader: Reader, catalog: Catalog, sample: int, before: VerifyReport | None, asked: frozenset[str]
    ) -> None:
        self.results: dict[str, CheckResult] = {}
        self._reader = reader
        self._catalog = catalog
        self._sample = sample
        self._before = {result.name: result for result in before.checks} if before else {}
        self._asked = asked

    def run(self, check: Check, keys: Mapping[str, ForeignKey]) -> None:
        reason = self._why_not(check)
        if reason is not None:
            result = CheckResult(check.name, check.kind, check.severity, "skipped", reason=reason)
        elif check.name == FOREIGN_KEY_CHECK and check.path is None:
            result = self._timed(check, lambda found: compare_with_pragma(self._reader, self.results, keys, found.take))
        else:
            result = self._timed(check, lambda found: self._reader.stream(check.sql, found.take))
        self.results[check.name] = result

    def _why_not(self, check: Check) -> str | None:
        missing = [reason for name in check.requires if (reason := self._catalog.missing(name)) is not None]
        if missing:
            return missing[0]
        return None if check.name in self._asked else check.skip

    def _timed(self, check: Check, fill: Callable[[Found], None]) -> CheckResult:
        found = Found(check.name, self._sample, self._before.get(check.name))
        begun = perf_counter()
        try:
            if check.path is not None:
                self._see_columns(check)
            fill(found)
        except self._reader.errors as error:
            damage = self.results.get(INTEGRITY_CHECK)
            if damage is not None and damage.status == "failed":
                reason = f"the file is damaged: {one_line(error)}"
                return CheckResult(check.name, check.kind, check.severity, "skipped", reason=reason)
            if check.name != INTEGRITY_CHECK:
                raise _refused(check, error) from error
            found.take("the database", "-", one_line(error))
        return found.result(check, (perf_counter() - begun) * 1000)

    def _see_columns(self, check: Check) -> None:
        wrong = self._reader.wrong_columns(check.sql, COLUMNS)
        if wrong is not None:
            raise VerifyError(
                f"{wrong}; the columns must be {', '.join(COLUMNS)}",
                code="BAD_CHECK",
                file=check.path,
                line=check.line,
            )


def _refused(check: Check, error: Exception) -> VerifyError:
    return VerifyError(
        f'the database refuses the check "{check.name}": {one_line(error)}',
        code="CHECK_FAILED",
        hint="A check is one SELECT that only reads. Correct it, or guard it with: -- requires: table.column",
        file=check.path,
        line=check.line if check.path else None,
        statement=check.sql,
        exit_code=1,
    )
