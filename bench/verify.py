"""What verify costs on Maxwell's schema, with planted orphans: beside what else finds them, and beside a bare scan.

    python -m bench.verify [--size full]

The databases are generated, and kept if ``MAXWELL_BENCH_DATA`` names a folder for them: ten million rows take minutes.
On PostgreSQL, where they come by ``transfer``, there are a million at most. Every way of looking for orphans has to
find just those that were planted.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from bench.alone import alone
from bench.maxwell_data import make_source
from bench.measure import Finding, Point, Results, Run, Size, in_turn, run
from tests.support.databases import Database, drop_postgres_database, postgres_database, sqlite_database
from tests.support.tool import ROOT, maxwell_db
from verify.catalog import BOOKKEEPING_TABLES, ForeignKey
from verify.catalog_sqlite import read_catalog
from verify.reader import reading
from verify.run import verify

ROWS = {"small": [10_000, 100_000, 500_000], "full": [10_000, 100_000, 1_000_000, 10_000_000]}
ON_POSTGRES = {"small": [10_000, 100_000], "full": [10_000, 100_000, 1_000_000]}
#: What the profile shows as the least, for the targets that may not be met.
_FLOORS = {
    "c1": "the catalog, the threads and their connections, whatever the size; then one sort for each key",
    "c2": "two cores, and the rows of all tables once more, without their indexes: for the pages that belong to nobody",
    "c": "the start, the catalog and the checks' files, whatever the size; then two cores for all of it",
}
PLANTED = 4  # of each foreign key

Orphans = set[tuple[str, str, str]]  # table, column, id


def measure(size: Size, folder: Path, url: str) -> Results:
    """Both dialects at growing sizes; the findings are of the largest one of each."""
    results = Results()
    sizes = ROWS[size]
    for rows in sizes:
        last = rows == sizes[-1]
        source = clean_database(folder, rows)
        if rows in ON_POSTGRES[size]:
            with on_postgres(source, url, rows) as database:
                planted = plant(source, database)
                results.add(postgres_results(database, rows, planted, findings=rows == ON_POSTGRES[size][-1]))
        planted = plant(source, sqlite_database(source))
        results.add(sqlite_results(source, rows, planted, findings=last))
    return results


# --- the data


def clean_database(folder: Path, rows: int) -> Path:
    """A file of its own with so many rows and no orphan yet; the kept one is copied, or is the one if it is large."""
    kept = os.environ.get("MAXWELL_BENCH_DATA")
    path = Path(kept or folder) / f"maxwell-{rows}.db"
    if not path.exists():
        make_source(path, rows, scattered=True)
    if not kept or rows not in ON_POSTGRES["full"]:
        return path
    return Path(shutil.copyfile(path, folder / path.name))


@contextmanager
def on_postgres(source: Path, url: str, rows: int) -> Iterator[Database]:
    database = postgres_database(url, f"verify_{os.getpid()}_{rows}")
    try:
        done = maxwell_db("transfer", "--from", f"sqlite:///{source}", "--to", database.url, "--yes")
        if done.exit_code:
            raise SystemExit(done.stderr)
        yield database
    finally:
        drop_postgres_database(url, database)


def foreign_keys(source: Path) -> tuple[ForeignKey, ...]:
    with (
        closing(sqlite3.connect(source, isolation_level=None)) as connection,
        reading(connection, "sqlite", snapshot=True) as reader,
    ):
        return read_catalog(reader, BOOKKEEPING_TABLES).foreign_keys


def plant(source: Path, database: Database) -> Orphans:
    """Let some rows of each foreign key refer to nothing, the same ones in either dialect; twice is as once."""
    planted: Orphans = set()
    with closing(sqlite3.connect(source)) as rows, database.connect() as connection, closing(connection.cursor()) as to:
        sign = "?" if database.dialect == "sqlite" else "%s"
        to.execute("BEGIN" if database.dialect == "sqlite" else "SET session_replication_role = replica")
        for key in foreign_keys(source):
            (column,) = key.columns
            ((last,),) = rows.execute(f"SELECT max(rowid) FROM {key.child}")
            for number in range(1, PLANTED + 1):
                ((row,),) = rows.execute(f"SELECT id FROM {key.child} WHERE rowid = ?", (last * number // 5,))
                value = f"gone {column} {number}"
                to.execute(f"UPDATE {key.child} SET {column} = {sign} WHERE id = {sign}", (value, row))
                planted.add((key.child, column, row))
        to.execute("COMMIT" if database.dialect == "sqlite" else "VACUUM ANALYZE")
    return planted


# --- the ways to find them


def orphans_of(database: Database, **options: Any) -> Orphans:
    """Those that verify finds."""
    with database.connect() as connection:
        report = verify(connection, database.dialect, only=["orphan:*"], sample=1_000_000, **options)
    return {
        (one.table, result.name.partition("(")[2].partition(")")[0], one.key)
        for result in report.checks
        for one in result.sample
    }


def by_pragma(source: Path) -> Orphans:
    found = set()
    with closing(sqlite3.connect(source)) as connection:
        columns = {(key.child, key.number): key.columns[0] for key in foreign_keys(source)}
        for table, row, _, number in connection.execute("PRAGMA foreign_key_check").fetchall():
            ((name,),) = connection.execute(f"SELECT id FROM {table} WHERE rowid = ?", (row,))
            found.add((table, columns[table, number], name))
    return found


def by_not_in(source: Path) -> Orphans:
    """The plan's form."""
    found = set()
    with closing(sqlite3.connect(source)) as connection:
        for key in foreign_keys(source):
            child, (column,), (parent,) = key.child, key.columns, key.parent_columns
            absent = f"{column} NOT IN (SELECT {parent} FROM {key.parent})"
            sql = f"SELECT id FROM {child} WHERE {column} IS NOT NULL AND {absent}"
            found |= {(child, column, row) for (row,) in connection.execute(sql)}
    return found


def bare_scan(database: Database, keys: Iterable[ForeignKey]) -> None:
    """Read every foreign key's column once, one statement for each table."""
    columns: dict[str, list[str]] = {}
    for key in keys:
        columns.setdefault(key.child, []).extend(key.columns)
    with database.connect() as connection, closing(connection.cursor()) as cursor:
        for table, names in columns.items():
            cursor.execute(f"SELECT {', '.join(f'count({name})' for name in names)} FROM {table}")
            cursor.fetchall()


def integrity_alone(source: Path) -> None:
    with closing(sqlite3.connect(source)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


# --- what they cost


def sqlite_results(source: Path, rows: int, planted: Orphans, *, findings: bool) -> Results:
    results = Results()
    database = sqlite_database(source)
    whole = run(whole_verify(database), codes=(4,))
    results.points.append(Point("whole verify, SQLite", rows, whole.seconds, "rows"))
    sides: dict[str, Callable[[], Run]] = {
        "ours": partial(timed, lambda: same(planted, orphans_of(database), "verify")),
        "scan": partial(timed, lambda: bare_scan(database, foreign_keys(source))),
    }
    if not findings:
        runs = in_turn(sides, 3)
        results.points.append(Point("orphans, SQLite", rows, runs["ours"].seconds, "rows"))
        return results
    sides["foreign_key_check"] = partial(timed, lambda: same(planted, by_pragma(source), "foreign_key_check"))
    sides["NOT IN"] = partial(timed, lambda: same(planted, by_not_in(source), "NOT IN"))
    runs = in_turn(sides, 3 if rows < 500_000 else 1)
    results.points.append(Point("orphans, SQLite", rows, runs["ours"].seconds, "rows"))
    work = f"SQLite, {rows:,} rows: orphans"
    peers = {
        "a bare scan of the columns": ("scan", 3.0),
        "PRAGMA foreign_key_check": ("foreign_key_check", 0.25),
        "NOT IN": ("NOT IN", 0.45),
    }
    for peer, (name, most) in peers.items():
        ours, other = runs["ours"].seconds, runs[name].seconds
        results.findings.append(Finding("c1", work, peer, ours, other, most, floor=_FLOORS["c1"]))
    results.add(integrity_results(database, source, rows))
    return results


def integrity_results(database: Database, source: Path, rows: int) -> Results:
    """The check of the file, and the whole of verify beside the one thing in it that cannot be had for less.

    integrity_check reads every row and looks for it in each index: the largest set of scans that a whole verify needs.
    """
    runs = in_turn(
        {
            "ours": partial(timed, lambda: file_is_sound(database)),
            "integrity_check": partial(timed, lambda: integrity_alone(source)),
            "whole": partial(run, whole_verify(database), codes=(4,)),
        },
        3 if rows < 500_000 else 1,
        warm=1 if rows < 10_000_000 else 0,
    )
    ours, alone_, whole = runs["ours"].seconds, runs["integrity_check"].seconds, runs["whole"]
    work = f"SQLite, {rows:,} rows"
    return Results(
        [
            Finding("c2", f"{work}: integrity", "PRAGMA integrity_check", ours, alone_, 0.55, floor=_FLOORS["c2"]),
            Finding(
                "c", f"{work}: whole verify", "PRAGMA integrity_check", whole.seconds, alone_, 1.3, floor=_FLOORS["c"]
            ),
            Finding("c", f"{work}: memory of the whole", "150 MB", whole.megabytes, 150, 1.0, "MB"),
        ]
    )


def postgres_results(database: Database, rows: int, planted: Orphans, *, findings: bool) -> Results:
    results = Results()
    whole = run(whole_verify(database), codes=(4,))
    results.points.append(Point("whole verify, PostgreSQL", rows, whole.seconds, "rows"))
    keys = [ForeignKey(table, (column,), "", (), "") for table, column in sorted({one[:2] for one in planted})]
    runs = in_turn(
        {
            "ours": partial(timed, lambda: same(planted, orphans_of(database), "verify")),
            "scan": partial(timed, lambda: bare_scan(database, keys)),
        },
        5,
    )
    results.points.append(Point("orphans, PostgreSQL", rows, runs["ours"].seconds, "rows"))
    if findings:
        work = f"PostgreSQL, {rows:,} rows: orphans"
        ours, scan = runs["ours"].seconds, runs["scan"].seconds
        results.findings.append(Finding("c3", work, "a bare scan of the columns", ours, scan, 5.0))
    return results


def file_is_sound(database: Database) -> None:
    with database.connect() as connection:
        report = verify(connection, "sqlite", only=["integrity-check"])
    if report.failed():
        raise SystemExit(f"the generated file is damaged: {report.failed()[0].sample}")


def same(planted: Orphans, found: Orphans, name: str) -> None:
    if found != planted:
        raise SystemExit(f"{name} finds {len(found)} orphans, {len(planted)} were planted")


def whole_verify(database: Database) -> list[str]:
    program = f"import sys; sys.path.insert(0, {str(ROOT)!r}); from verify.cli import main; sys.exit(main())"
    return [sys.executable, "-c", program, "--database", database.url, "--json"]


def timed(work: Callable[[], object]) -> Run:
    began, cpu = time.perf_counter(), time.process_time()
    work()
    return Run(time.perf_counter() - began, time.process_time() - cpu, 0)


if __name__ == "__main__":
    alone(measure, __doc__)
