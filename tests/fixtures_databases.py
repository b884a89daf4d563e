"""Databases for tests: SQLite files, and databases on a PostgreSQL that the test run starts and stops itself.

``MAXWELL_TEST_PG_URL`` names another server (its user must be allowed to create databases);
``MAXWELL_TEST_PG_VERSION`` chooses the embedded one (16 or 18, default 18).
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.databases import (
    Database,
    drop_postgres_database,
    empty_postgres_database,
    postgres_database,
    postgres_server,
    sqlite_database,
)

_numbers = itertools.count()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark whatever touches PostgreSQL, so that ``-m postgres`` runs just that (against another version, say)."""
    for item in items:
        parameters = getattr(getattr(item, "callspec", None), "params", {})
        fixtures = getattr(item, "fixturenames", ())
        if "postgres" in parameters.values() or (
            {"pg", "pg_url"} & set(fixtures) and "sqlite" not in parameters.values()
        ):
            item.add_marker(pytest.mark.postgres)


@pytest.fixture(scope="session")
def pg_url() -> Iterator[str]:
    """The URL of a PostgreSQL server on which databases may be created."""
    try:
        with postgres_server() as url:
            yield url
    except ImportError as error:
        message = "no PostgreSQL: install the test extra, or set MAXWELL_TEST_PG_URL"
        if os.environ.get("CI"):
            raise RuntimeError(message) from error
        pytest.skip(message)


@pytest.fixture(scope="session")
def pg_pool(pg_url: str) -> Iterator[list[Database]]:
    """Empty databases that are not in use: to empty one costs a tenth of making one."""
    pool: list[Database] = []
    yield pool
    for database in pool:
        drop_postgres_database(pg_url, database)


@pytest.fixture
def make_database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[[str], Database]]:
    """A function that makes an empty scratch database of the dialect it is given; all are dropped afterwards."""
    lent: list[Database] = []

    def make(dialect: str) -> Database:
        if dialect == "sqlite":
            return sqlite_database(tmp_path / f"scratch{next(_numbers)}.db")
        pool: list[Database] = request.getfixturevalue("pg_pool")
        if not pool:
            pool.append(postgres_database(request.getfixturevalue("pg_url"), f"scratch_{os.getpid()}_{next(_numbers)}"))
        lent.append(pool.pop())
        return lent[-1]

    yield make
    for database in lent:
        empty_postgres_database(database)
        request.getfixturevalue("pg_pool").append(database)


@pytest.fixture(params=["sqlite", "postgres"])
def dialect(request: pytest.FixtureRequest) -> str:
    """Each dialect in turn."""
    return str(request.param)


@pytest.fixture
def database(dialect: str, make_database: Callable[[str], Database]) -> Database:
    """An empty scratch database of each dialect in turn."""
    return make_database(dialect)
