"""The day that backups are for: a migration went through in production and destroyed data."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from tests.support.databases import Database
from tests.support.deploying import Site
from tests.support.deploying import site as make_site
from tests.support.migrations import AUTHOR, BOOK, PRICE, ledger, log, marks
from tests.support.tool import yoyo

BROKEN = "004_names"
ALL = [AUTHOR, BOOK, PRICE, BROKEN]
#: It passes every check: no row is gone, no key points nowhere. What users wrote is gone all the same.
DESTROYS = "UPDATE author SET name = 'author ' || id WHERE id > 0;\n"
CORRECT = "UPDATE author SET name = upper(name) WHERE id > 0;\n"


@pytest.fixture
def site(database: Database, tmp_path: Path) -> Site:
    """In production at version 0.3.0, with rows; the broken migration is not yet there."""
    site = make_site(database, tmp_path)
    site.deploy()
    site.database.script("UPDATE book SET price = 10 * id")
    return site


def break_it(site: Site) -> None:
    site.folder.add(BROKEN, DESTROYS, "SELECT 1;\n", depends=PRICE, version="0.4.0")
    assert site.deploy("--rehearse")["version"] == "0.4.0"  # nothing notices
    assert site.database.query("SELECT name FROM author ORDER BY id") == [("author 1",), ("author 2",)]


def listed(site: Site) -> dict[str, str]:
    """What plain ``yoyo list`` says."""
    result = yoyo("list", database=site.database, sources=site.folder.path, cwd=site.home)
    assert result.exit_code == 0, result.stderr
    return {id: letter for letter, id in re.findall(r"^\s*([AU])\s+(\S+)", result.stdout, re.MULTILINE)}


def test_the_newest_backup_brings_it_back_and_the_corrected_migration_goes_on(site: Site) -> None:
    before, books = site.facts(), log(site.database)
    break_it(site)
    site.run("rollback", "--yes")  # nobody can compute the old names from the new ones
    assert site.facts() != before
    site.run("apply")

    newest = site.whole_backups()[0]
    answer = site.run("--json", "restore", str(newest), "--yes").json()
    assert (answer["version"], answer["version_before"]) == ("0.3.0", "0.4.0")
    assert site.facts() == before

    # The marks came along: no stamp by hand, and the history is that of the day before.
    states = {AUTHOR: "applied", BOOK: "applied", PRICE: "applied", BROKEN: "pending"}
    assert site.folder.states(site.database) == states
    assert site.run("status", "--exit-code", expect=3).stdout.splitlines()[0].endswith("at version 0.3.0, 1 pending")
    assert listed(site) == dict.fromkeys(ALL[:3], "A") | {BROKEN: "U"}
    assert log(site.database) == books and set(ledger(site.database)) == set(ALL[:3])
    site.run("verify")
    site.run("drift")

    # What is pending again may be edited: it was never applied here.
    site.folder.add(BROKEN, CORRECT, "SELECT 1;\n", depends=PRICE, version="0.4.0")
    assert [one["id"] for one in site.run("--json", "apply").json()["applied"]] == [BROKEN]
    assert site.database.query("SELECT name FROM author ORDER BY id") == [("MAREN",), ("ANSELM",)]
    assert listed(site) == dict.fromkeys(ALL, "A")
    assert marks(site.database) == ALL
    assert site.run("deploy").stdout.startswith("Nothing to do")


def test_a_protected_database_wants_its_name_even_then(site: Site) -> None:
    before = site.facts()
    site.run("protect")
    break_it(site)
    newest = site.whole_backups()[0]
    error = site.run("--json", "restore", str(newest), "--yes", expect=2).json()["error"]
    assert error["code"] == "NOT_CONFIRMED"
    site.run("restore", str(newest), "--confirm", error["hint"].rstrip(".").split()[-1])
    assert site.facts() == before
    assert site.run("--json", "protect").json()["changed"] is False  # it still is


def test_without_the_backup_s_manifest_nothing_is_touched(site: Site) -> None:
    break_it(site)
    before = site.facts()
    newest = site.whole_backups()[0]
    lost = newest.with_name(f"{newest.name}.json").rename(site.home / "lost.json")
    assert site.run("--json", "restore", str(newest), "--yes", expect=7).json()["error"]["code"] == "NO_MANIFEST"
    assert site.facts() == before
    lost.rename(newest.with_name(f"{newest.name}.json"))
    site.run("restore", str(newest), "--yes")


def test_an_application_that_was_not_stopped(site: Site, make_database: Callable[[str], Database]) -> None:
    """SQLite: it goes on with the restored rows. PostgreSQL: the restore waits for it, or ends its session."""
    before = site.facts()
    break_it(site)
    newest = site.whole_backups()[0]
    with site.database.connect() as application, closing(application.cursor()) as cursor:
        cursor.execute("SELECT count(*) FROM author")
        cursor.fetchall()
        if site.database.dialect == "postgres":
            error = site.run("--json", "restore", str(newest), "--yes", "--lock-wait", "0", expect=5).json()["error"]
            assert error["code"] == "DATABASE_IN_USE" and "--disconnect" in error["hint"]
            assert site.database.value("SELECT name FROM author WHERE id = 1") == "author 1"
            site.run("restore", str(newest), "--yes", "--disconnect")
        else:
            site.run("restore", str(newest), "--yes")
            cursor.execute("SELECT name FROM author ORDER BY id")
            assert cursor.fetchall() == [("Maren",), ("Anselm",)]
    assert site.facts() == before
