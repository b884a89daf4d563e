"""Which versions of what are at work on this side."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version

from runner import __version__
from runner.domain.migration import Dialect


def client_versions(dialect: Dialect) -> dict[str, str]:
    """Our own version and those of Python, yoyo and the driver with its library; yoyo is not imported for it."""
    found = {"maxwell-db": __version__, "Python": platform.python_version()}
    for package in ("yoyo-migrations", "sqlparse"):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "unknown"
    if dialect == "sqlite":
        import sqlite3

        return found | {"SQLite": sqlite3.sqlite_version}
    import psycopg2
    from psycopg2.extensions import libpq_version

    number = libpq_version()
    return found | {
        "psycopg2": str(getattr(psycopg2, "__version__", "unknown")).split()[0],
        "libpq": f"{number // 10000}.{number % 10000}",
    }
