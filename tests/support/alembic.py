"""Databases made by Alembic itself.

``alembic_maxwell/versions`` are the revisions from which Maxwell's migrations were written, word for word, with the
four variables that Alembic wants to have.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from alembic import command
from alembic.config import Config

from runner.domain.sql import sqlite_statements
from runner.sources.folder import read_folder
from tests.support.databases import Database

PLAN = Path(__file__).parent / "alembic_maxwell"


def upgrade(database: Database, revision: str, environment: Path = PLAN) -> None:
    """``alembic upgrade REVISION``. What Alembic says of a failure is raised, and what it did until then stays."""
    command.upgrade(_config(database, environment), revision)


def _config(database: Database, environment: Path) -> Config:
    if database.path is not None:
        url = f"sqlite:///{database.path}"
    else:
        url = urlunsplit(urlsplit(database.url)._replace(scheme="postgresql+psycopg2"))
    config = Config()
    config.set_main_option("script_location", str(environment))
    config.set_main_option("path_separator", "os")
    config.set_main_option("sqlalchemy.url", url.replace("%", "%%"))
    return config


def own_environment(folder: Path, sql: Path, dialect: str) -> Path:
    """An Alembic environment whose revisions run our own migrations, so that it makes the very same schema."""
    (folder / "versions").mkdir(parents=True)
    shutil.copy(PLAN / "env.py", folder)
    migrations = read_folder(sql / dialect, "sqlite" if dialect == "sqlite" else "postgres")
    before = None
    for migration in migrations:
        text = migration.apply.text
        statements = [one.text for one in sqlite_statements(text)] if dialect == "sqlite" else [text]
        (folder / "versions" / f"{migration.revision}.py").write_text(
            f"from alembic import op\n\nrevision = {migration.revision!r}\ndown_revision = {before!r}\n\n"
            f"def upgrade():\n    for statement in {statements!r}:\n        op.get_bind().exec_driver_sql(statement)\n"
        )
        before = migration.revision
    return folder
