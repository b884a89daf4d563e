"""Each check as work for one connection or several: its pieces, and how its result is made of what they gave."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from verify.catalog import Catalog, ForeignKey
from verify.errors import VerifyError
from verify.foreign_key_check import checked_tables, compare_with_pragma, count_by_key
from verify.found import Found
from verify.generic import FOREIGN_KEY_CHECK, INTEGRITY_CHECK
from verify.loader import BUILT_IN, COLUMNS
from verify.model import Check, CheckResult
from verify.quoting import quote_identifier
from verify.reader import Reader, one_line
from verify.work import Part

# Looking up every row in every index goes the quicker, the more of the indexes is at hand.
_INTEGRITY_CACHE_KIB = 16 * 1024

Results = Mapping[str, CheckResult]


@dataclass(frozen=True)
class Task:
    """``finish`` gets what the parts gave, in their order, and the results of the checks before it in the list."""

    check: Check
    parts: tuple[Part, ...]
    finish: Callable[[Reader, list[Any], Results], Found]
    asks: bool = False  # ``finish`` may ask the database too


class Tasks:
    """Makes the task of a check, for a catalog and the readers of it."""

    def __init__(
        self,
        catalog: Catalog,
        keys: Mapping[str, ForeignKey],
        empty: Callable[[Check], Found],
        *,
        shared: bool,
        looks_at_file: bool,
    ) -> None:
        """``looks_at_file``: the integrity check is run too, before the others."""
        self._catalog = catalog
        self._keys = keys
        self._empty = empty
        self._shared = shared  # among several connections
        with_rowid = (table for table in catalog.tables if table.key_is_rowid)
        self._left_to_integrity = {f"key:{table.name}" for table in with_rowid} if looks_at_file else set[str]()

    def task(self, place: int, check: Check, reader: Reader) -> Task:
        if check.path is None and check.name == INTEGRITY_CHECK:
            tables = _ordinary_tables(reader) if self._shared else None
            return self._whole_integrity(place, check) if tables is None else self._integrity(place, check, tables)
        if check.path is None and check.name == FOREIGN_KEY_CHECK:
            return self._foreign_key_check(place, check)
        if check.path is None and check.name in self._left_to_integrity:
            return self._rowid_key(check)
        return self._plain(place, check)

    def _rowid_key(self, check: Check) -> Task:
        """A rowid is never NULL, and the integrity check sees one that stands in two rows; then they are looked for."""

        def finish(reader: Reader, given: list[Any], results: Results) -> Found:
            found = self._empty(check)
            if results[INTEGRITY_CHECK].status != "passed":
                reader.stream(check.sql, found.take)
            return found

        return Task(check, (), finish, asks=True)

    def _plain(self, place: int, check: Check) -> Task:
        def run(reader: Reader) -> Found:
            if check.path is not None and BUILT_IN not in check.path.parents:  # whose columns are known to be right
                _see_columns(reader, check)
            found = self._empty(check)
            reader.stream(check.sql, found.take)
            return found

        return Task(check, (Part(place, run, self._cost(check)),), lambda reader, given, results: _only(given))

    def _whole_integrity(self, place: int, check: Check) -> Task:
        def run(reader: Reader) -> Found:
            return self._look_at_the_file(reader, check)

        return Task(check, (Part(place, run, 9 * self._all_rows()),), lambda reader, given, results: _only(given))

    def _look_at_the_file(self, reader: Reader, check: Check) -> Found:
        found = self._empty(check)
        try:
            reader.stream(check.sql, found.take)
        except reader.errors as error:
            if reader.was_cancelled(error):
                raise
            found.take("the database", "-", one_line(error))
        return found

    def _integrity(self, place: int, check: Check, tables: Sequence[str]) -> Task:
        """All tables with their indexes, each by itself, and the whole file without the comparison of the indexes.

        The latter sees pages that belong to nobody or to two. Together they find all that integrity_check finds; if
        they find something, it is asked itself, so that it is told in its words.
        """

        def looks(sql: str) -> Callable[[Reader], bool]:
            def run(reader: Reader) -> bool:
                ((before,),) = reader.query("PRAGMA main.cache_size")
                reader.query(f"PRAGMA main.cache_size = -{_INTEGRITY_CACHE_KIB}")
                try:
                    return reader.query(sql) == [("ok",)]
                except reader.errors as error:
                    if reader.was_cancelled(error):
                        raise
                    return False
                finally:
                    reader.query(f"PRAGMA main.cache_size = {int(before)}")

            return run

        parts = [Part(place, looks("PRAGMA main.quick_check"), self._all_rows())]
        for table in tables:
            sql = f"PRAGMA main.integrity_check({quote_identifier(table)})"
            # SQLite does not read the CHECK constraints of a database that is opened read-only.
            here = table in self._catalog.checked
            parts.append(Part(place, looks(sql), 5 * self._catalog.rows.get(table, 0), here))

        def finish(reader: Reader, given: list[Any], results: Results) -> Found:
            return self._empty(check) if all(given) else self._look_at_the_file(reader, check)

        return Task(check, tuple(parts), finish, asks=True)

    def _foreign_key_check(self, place: int, check: Check) -> Task:
        def count(table: str) -> Callable[[Reader], Any]:
            return lambda reader: count_by_key(reader, table)

        tables = sorted(checked_tables(self._keys.values()))
        parts = tuple(Part(place, count(table), 4 * self._catalog.rows.get(table, 0)) for table in tables)

        def finish(reader: Reader, given: list[Any], results: Results) -> Found:
            found = self._empty(check)
            counted = {key: rows for counts in given for key, rows in counts.items()}
            compare_with_pragma(reader, results, self._keys, counted, found.take)
            return found

        return Task(check, parts, finish, asks=True)

    def _cost(self, check: Check) -> int:
        """About how many rows it reads: of the tables that it requires, or of the one that it is named after."""
        rows = self._catalog.rows
        if key := self._keys.get(check.name):
            return 2 * rows.get(key.child, 0) + rows.get(key.parent, 0)
        tables = {name.partition(".")[0] for name in check.requires} or {check.name.partition(":")[2]}
        return sum(rows.get(table, 0) for table in tables)

    def _all_rows(self) -> int:
        return sum(self._catalog.rows.values())


def passed(given: Any) -> bool:
    """Whether a part of the integrity check found nothing."""
    return given is True if isinstance(given, bool) else isinstance(given, Found) and not given.any


def _only(given: list[Any]) -> Found:
    (found,) = given
    assert isinstance(found, Found)
    return found


def _ordinary_tables(reader: Reader) -> list[str] | None:
    """The tables by name, bookkeeping too; None if there is a virtual one, whose module may have a word to say."""
    try:
        rows = reader.query("SELECT name, rootpage FROM main.sqlite_master WHERE type = 'table'")
    except reader.errors:
        return None
    return [name for name, _ in rows] if all(page for _, page in rows) else None


def _see_columns(reader: Reader, check: Check) -> None:
    wrong = reader.wrong_columns(check.sql, COLUMNS)
    if wrong is not None:
        raise VerifyError(
            f"{wrong}; the columns must be {', '.join(COLUMNS)}",
            code="BAD_CHECK",
            file=check.path,
            line=check.line,
        )
