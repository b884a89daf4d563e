"""Other tools for migrations, given the same files in the form that each of them reads."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from bench.migrations import apply_files
from runner.domain.migration import Dialect

Command = tuple[list[str], dict[str, str]]


@dataclass(frozen=True)
class Peer:
    """One tool: is it there, how a folder of ours becomes one of its projects, and its command for a database."""

    name: str
    is_there: Callable[[], bool]
    prepare: Callable[[Dialect, Path, Path], Path]  # our files and an empty place; the project's folder
    command: Callable[[Dialect, Path, str], Command]


def _pairs(files: Path) -> list[tuple[str, str, str]]:
    """Id, statements and way back of each migration."""
    return [
        (path.stem, path.read_text(), path.with_name(f"{path.stem}.rollback.sql").read_text())
        for path in apply_files(files)
    ]


def _as_they_are(dialect: Dialect, files: Path, project: Path) -> Path:
    return files


def _yoyo(dialect: Dialect, project: Path, url: str) -> Command:
    options = ("--no-config-file", "--batch", "--database", url)
    return [sys.executable, "-m", "yoyo", "apply", *options, str(project)], {}


def _dbmate_project(dialect: Dialect, files: Path, project: Path) -> Path:
    folder = project / "db" / "migrations"
    folder.mkdir(parents=True)
    for number, (id, apply, rollback) in enumerate(_pairs(files), 1):
        text = f"-- migrate:up\n{apply}\n-- migrate:down\n{rollback}"
        (folder / f"{number:014}_{id}.sql").write_text(text)
    return project


def _dbmate(dialect: Dialect, project: Path, url: str) -> Command:
    address = url.replace("sqlite:///", "sqlite:") if dialect == "sqlite" else _by_socket(url)
    return ["dbmate", "--url", address, "--no-dump-schema", "migrate"], {}


def _sqitch_project(dialect: Dialect, files: Path, project: Path) -> Path:
    for kind in ("deploy", "revert"):
        (project / kind).mkdir(parents=True)
    lines = ["%syntax-version=1.0.0", "%project=bench", ""]
    for id, apply, rollback in _pairs(files):
        lines.append(f"{id} 2026-01-01T00:00:00Z Bench <bench@example.org> # {id}")
        (project / "deploy" / f"{id}.sql").write_text(f"BEGIN;\n{apply}\nCOMMIT;\n")
        (project / "revert" / f"{id}.sql").write_text(f"BEGIN;\n{rollback}\nCOMMIT;\n")
    (project / "sqitch.plan").write_text("\n".join(lines) + "\n")
    engine = "sqlite" if dialect == "sqlite" else "pg"
    (project / "sqitch.conf").write_text(
        f"[core]\n\tengine = {engine}\n[user]\n\tname = Bench\n\temail = bench@example.org\n"
    )
    return project


def _sqitch(dialect: Dialect, project: Path, url: str) -> Command:
    address = url.replace("sqlite:///", "db:sqlite:") if dialect == "sqlite" else f"db:pg:{url.partition(':')[2]}"
    return ["sqitch", "deploy", "--no-verify", "--quiet", address], {}


_ENVIRONMENT = """
import os
from alembic import context
from sqlalchemy import create_engine, pool
engine = create_engine(os.environ["BENCH_URL"], poolclass=pool.NullPool)
with engine.connect() as connection:
    context.configure(connection=connection, transaction_per_migration=True)
    with context.begin_transaction():
        context.run_migrations()
"""


def _alembic_project(dialect: Dialect, files: Path, project: Path) -> Path:
    from runner.domain.sql import statements

    folder = project / "migrations" / "versions"
    folder.mkdir(parents=True)
    (project / "alembic.ini").write_text("[alembic]\nscript_location = %(here)s/migrations\n")
    (project / "migrations" / "env.py").write_text(_ENVIRONMENT)
    before = None
    for number, (id, apply, _) in enumerate(_pairs(files), 1):
        texts = [one.text.rstrip(";") for one in statements(apply, dialect)]
        body = "\n".join(f"    op.get_bind().exec_driver_sql({text!r})" for text in texts)
        revision = f"{number:012}"
        head = f"from alembic import op\n\nrevision = {revision!r}\ndown_revision = {before!r}\n"
        (folder / f"{id}.py").write_text(f"{head}\n\ndef upgrade():\n{body}\n\n\ndef downgrade():\n    pass\n")
        before = revision
    return project


def _alembic(dialect: Dialect, project: Path, url: str) -> Command:
    command = [sys.executable, "-m", "alembic", "--config", str(project / "alembic.ini"), "upgrade", "head"]
    return command, {"BENCH_URL": url.replace("postgresql://", "postgresql+psycopg2://")}


def _has_alembic() -> bool:
    from importlib.util import find_spec

    return find_spec("alembic") is not None


def _by_socket(url: str) -> str:
    """The same database for a program that calls libpq's ``?host=/FOLDER`` something else."""
    parts = urlsplit(url)
    folder = parse_qs(parts.query).get("host", [""])[0]
    if folder.startswith("/"):
        return f"postgresql://{parts.username or ''}@{parts.path}?socket={folder}"
    return f"postgresql://{parts.netloc}{parts.path}?sslmode=disable"


PEERS = (
    Peer("yoyo", lambda: True, _as_they_are, _yoyo),
    Peer("dbmate", lambda: shutil.which("dbmate") is not None, _dbmate_project, _dbmate),
    Peer("sqitch", lambda: shutil.which("sqitch") is not None, _sqitch_project, _sqitch),
    Peer("alembic", _has_alembic, _alembic_project, _alembic),
)
