"""Run the checks: read-only, in one snapshot, however many rows are wrong."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import Any

from verify.catalog import BOOKKEEPING_TABLES, Catalog
from verify.counts import count_rows
from verify.errors import VerifyError
from verify.generic import INTEGRITY_CHECK, integrity_checks, key_checks
from verify.loader import load_checks
from verify.model import Check, VerifyReport
from verify.orphans import orphan_checks
from verify.reader import Reader, one_line, reading
from verify.running import Progress, Run
from verify.work import Deadline

__all__ = ["BOOKKEEPING_TABLES", "list_checks", "row_counts", "select", "verify"]

_MOST_THREADS = 4


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
    budget: float | None = None,
    threads: int | None = None,
    proven: Collection[str] = (),
) -> VerifyReport:
    """Run the checks on an open connection and report every violation, writing nothing.

    ``connection`` is a sqlite3 connection with ``isolation_level=None``, or a psycopg2 one in autocommit mode.
    With ``snapshot`` all checks see one moment, in a read-only transaction that is opened and ended here. Without,
    they run inside the transaction that the caller has open, see its changes, and leave it as they found it, also
    when a check fails. ``only`` names checks, whole or as patterns (``orphan:*``). Of each check's violations the
    first ``sample`` are kept whole; those that ``before`` did not have come first. ``progress`` is called by one thread
    at a time.

    After ``budget`` seconds what runs is cancelled and the rest left out, the least important: the report says how many
    checks that were (``not_run``). A snapshot of a large SQLite file is read by ``threads`` at once, each with its own
    connection to the one commit; by default as many as there are cores, four at most. The report hangs on neither.
    ``proven`` names checks that pass, as the caller knows, because the server has just validated that very foreign key;
    they are not run again.

    Raises VerifyError for a bad check file, an unknown name in ``only``, and a check that the database refuses.
    """
    deadline = None if budget is None else Deadline(budget)
    others = (_cores() if threads is None else threads) - 1
    with reading(connection, dialect, snapshot=snapshot, others=others) as reader:
        catalog = _read_catalog(reader, ignore_tables)
        checks = select(_all_checks(catalog, checks_dirs), only)
        return Run(reader, catalog, checks, sample, before, frozenset(only), deadline, proven).report(progress)


def _cores() -> int:
    """How many threads are worth it here; more than a few would wait for the disk, and each holds a cache."""
    return min(_MOST_THREADS, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)


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
    return (*first, *orphans, *key_checks(catalog), *rest, *load_checks(catalog.dialect, checks_dirs, catalog.version))
