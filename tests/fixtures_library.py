"""A small library of authors and their books: its migrations, and a database of either dialect with rows in it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.databases import Database
from tests.support.migrations import Folder, library


@pytest.fixture
def books(tmp_path: Path) -> Folder:
    return library(tmp_path)


@pytest.fixture
def filled(books: Folder, database: Database) -> Database:
    books.run("apply", database=database)
    database.script("INSERT INTO book (id, author_id, price) VALUES (1, 1, 10), (2, 2, 7)")
    return database
