"""What a database's schema is: read from its own catalog, compared object by object, and made into a fingerprint."""

from __future__ import annotations

from typing import Any

from runner.catalog.compare import Difference, differences, fingerprint
from runner.catalog.model import Catalog
from runner.domain.migration import Dialect

__all__ = ["Catalog", "Difference", "differences", "fingerprint", "read_catalog"]


def read_catalog(connection: Any, dialect: Dialect) -> Catalog:
    """The schema of an open DB-API connection: PostgreSQL's current schema, or SQLite's main database.

    Reads only; the migrations' bookkeeping is left out. May be called inside a transaction, and then sees what that has
    done so far.
    """
    if dialect == "sqlite":
        from runner.catalog import sqlite

        return sqlite.read(connection)
    from runner.catalog import postgres

    return postgres.read(connection)
