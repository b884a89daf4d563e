"""The tutorials, followed word for word: from an empty folder to where they say that they end.

``MAXWELL_WRITE_DOCS=1`` writes what the commands print into the pages.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

from tests.support.databases import Database, sqlite_database
from tests.support.tool import ROOT, maxwell_db
from tests.support.transcripts import WHO, desk, follow

DOCS = ROOT / "docs"


def test_the_sqlite_tutorial_ends_where_it_says(tmp_path: Path, programs: dict[str, str]) -> None:
    with desk(tmp_path, programs, WHO) as sitting:
        assert follow(DOCS / "tutorial-sqlite.md", sitting) >= 25
    library = sqlite_database(tmp_path / "library" / "library.db")
    assert library.query("SELECT reader FROM loan ORDER BY id") == [("Ada",), ("Bram",)]
    assert library.value("SELECT count(*) FROM book") == 3


def test_the_postgresql_tutorial_ends_where_it_says(
    tmp_path: Path, programs: dict[str, str], make_database: Callable[[str], Database], pg_url: str
) -> None:
    """The reader's server is that of the tests; rehearsals are made there too, which saves the start of another one."""
    database = make_database("postgres")
    url = maxwell_db("--json", "history", database=database).json()["database"]
    shown = {url: "postgresql://localhost/library", urlsplit(database.url).path[1:]: "library"} | WHO
    env = programs | {"DATABASE_URL": database.url, "MAXWELL_DB_SCRATCH": pg_url}
    with desk(tmp_path, env, shown) as sitting:
        assert follow(DOCS / "tutorial-postgresql.md", sitting) >= 25
    assert database.query("SELECT reader FROM loan ORDER BY id") == [("Ada",), ("Bram",)]
    assert database.value("SELECT count(*) FROM book") == 3
