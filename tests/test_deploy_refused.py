"""``deploy`` fails closed: what goes wrong before the first migration leaves the database as it was."""

from __future__ import annotations

import fcntl
import os
import resource
import signal
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.support.databases import Database
from tests.support.deploying import Site, wait_for_line, wait_until
from tests.support.deploying import site as make_site
from tests.support.folders import footprint, permissions_count
from tests.support.migrations import AUTHOR, BOOK, PRICE, bookkeeping, held_locks, library, marks
from tests.support.terminal import on_a_terminal
from tests.support.tool import clean_environment

MakeDatabase = Callable[[str], Database]


@pytest.fixture
def site(database: Database, tmp_path: Path) -> Site:
    return make_site(database, tmp_path)


@pytest.fixture
def lite(make_database: MakeDatabase, tmp_path: Path) -> Site:
    return make_site(make_database("sqlite"), tmp_path)


@pytest.fixture
def pg(make_database: MakeDatabase, tmp_path: Path, pg_url: str) -> Site:
    return make_site(make_database("postgres"), tmp_path)


@contextmanager
def untouched(site: Site) -> Iterator[None]:
    """What runs within leaves the database byte for byte as it was, and nothing of a backup."""
    before = footprint(site.database)
    yield
    assert footprint(site.database) == before
    assert site.leftovers() == []


def refused(site: Site, *arguments: str, expect: int) -> dict[str, Any]:
    """The error of a deploy that changes nothing. It is told of with all the keys of a deploy."""
    with untouched(site):
        answer = site.deploy(*arguments, expect=expect)
    assert (answer["changed"], answer["applied"], answer["recovery"]) == (False, [], None)
    error: dict[str, Any] = answer["error"]
    assert error["message"] and error["hint"]
    return error


def program(site: Site, *arguments: str) -> list[str]:
    return [sys.executable, "-m", "runner", "-d", site.database.url, "--sql", str(site.folder.path), *arguments]


# The backup fails.


def test_a_backup_folder_that_others_may_write_to(site: Site) -> None:
    site.backups.mkdir()
    site.backups.chmod(0o777)
    error = refused(site, expect=7)
    assert error["code"] == "BACKUP_FOLDER_REFUSED" and error["hint"].startswith("chmod 700 ")
    assert list(site.backups.iterdir()) == []


def test_a_backup_folder_that_is_a_link(site: Site) -> None:
    (site.home / "elsewhere").mkdir()
    site.backups.symlink_to("elsewhere")
    error = refused(site, expect=7)
    assert "is a link" in error["message"] and list((site.home / "elsewhere").iterdir()) == []


def test_a_backup_folder_that_is_a_file(site: Site) -> None:
    site.backups.write_text("mine")
    assert "not a folder" in refused(site, expect=7)["message"]
    assert site.backups.read_text() == "mine"


def test_a_backup_folder_whose_parent_is_not_there(site: Site) -> None:
    error = refused(site, "--backup-dir", "no/where", expect=7)
    assert error["code"] == "BACKUP_NOT_WRITTEN" and not (site.home / "no").exists()


@pytest.mark.skipif(not permissions_count(), reason="root may write anywhere")
def test_a_backup_folder_that_is_not_ours_to_write(lite: Site) -> None:
    lite.backups.mkdir(mode=0o500)
    assert refused(lite, expect=7)["code"] == "PREFLIGHT_FAILED"


def test_no_pg_dump(pg: Site) -> None:
    empty = pg.home / "empty"
    empty.mkdir()
    error = refused(pg, "--pg-bin", str(empty), expect=7)
    assert error["code"] == "PREFLIGHT_FAILED" and "pg_dump" in error["message"]


def test_a_pg_dump_that_is_older_than_the_server(pg: Site) -> None:
    old = pg.home / "old"
    old.mkdir()
    for name in ("pg_dump", "pg_restore"):
        (old / name).write_text(f"#!/bin/sh\necho '{name} (PostgreSQL) 9.6.24'\n")
        (old / name).chmod(0o755)
    error = refused(pg, "--pg-bin", str(old), expect=7)
    assert error["code"] == "PREFLIGHT_FAILED" and "9.6" in error["message"]


def test_a_pg_dump_that_fails_half_way(pg: Site) -> None:
    major = pg.database.value("SELECT current_setting('server_version_num')::int / 10000")
    bad = pg.home / "bad"
    bad.mkdir()
    for name in ("pg_dump", "pg_restore"):
        (bad / name).write_text(
            f'#!/bin/sh\n[ "$1" = --version ] && exec echo "{name} (PostgreSQL) {major}.9"\n'
            "echo 'half a dump'; echo 'the disk is on fire' >&2; exit 1\n"
        )
        (bad / name).chmod(0o755)
    error = refused(pg, "--pg-bin", str(bad), expect=7)
    assert error["code"] == "PG_PROGRAM_FAILED" and "the disk is on fire" in error["message"]
    assert list(pg.backups.iterdir()) == []


def test_an_empty_database_gets_no_bookkeeping_from_a_deploy_that_fails(
    make_database: MakeDatabase, tmp_path: Path, pg_url: str
) -> None:
    site = Site(make_database("postgres"), library(tmp_path), tmp_path)
    site.backups.symlink_to("elsewhere")
    refused(site, expect=7)
    assert bookkeeping(site.database) == set()


def test_a_damaged_database_is_not_deployed_to(lite: Site) -> None:
    lite.database.script(
        "CREATE TABLE filler (body TEXT NOT NULL); WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n"
        " WHERE i < 200) INSERT INTO filler SELECT printf('%0500d', i) FROM n"
    )
    assert lite.database.path is not None
    with lite.database.path.open("r+b") as file:
        file.seek(-3000, os.SEEK_END)
        file.write(b"\xff" * 3000)
    error = refused(lite, expect=7)
    assert error["code"] in ("DATABASE_DAMAGED", "BACKUP_FAILED")
    assert list(lite.backups.iterdir()) == []


# The disk is full.


def limited(site: Site, limit: int, *arguments: str) -> subprocess.CompletedProcess[str]:
    """A deploy that may write no file larger than ``limit`` bytes."""
    return subprocess.run(
        program(site, "deploy", *arguments),
        cwd=site.home,
        env=clean_environment(None),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)),
        check=False,
    )


def test_no_room_for_the_backup(site: Site) -> None:
    with untouched(site):
        done = limited(site, 2048, "--backup-dir", "backups")
    assert done.returncode == 7 and "Traceback" not in done.stderr, done.stderr
    assert done.stderr.splitlines()[-2].startswith("error: ") and "hint: " in done.stderr
    assert list(site.backups.iterdir()) == []


def test_no_room_for_a_migration(lite: Site) -> None:
    """The backup fits, a later migration does not: it is rolled back, and so is the one before it."""
    lite.folder.add(
        "004_large",
        "CREATE TABLE large (body BLOB NOT NULL);\nINSERT INTO large VALUES (zeroblob(3000000));\n",
        "DROP TABLE large;\n",
    )
    before = lite.facts()
    done = limited(lite, 1_000_000, "--backup-dir", "backups")
    assert done.returncode == 1 and "Traceback" not in done.stderr, done.stderr
    assert "004_large.sql:4: " in done.stderr and "rolled back to version 0.2.0" in done.stderr
    assert lite.facts() == before
    assert len(lite.whole_backups()) == 1
    assert lite.database.value("PRAGMA integrity_check") == "ok"
    assert len(lite.deploy()["applied"]) == 2


# Preflight and lint.


def test_a_finding_of_the_rules_stops_it(site: Site) -> None:
    path = site.folder.add("004_all", "DELETE FROM author;\n", "SELECT 1;\n")
    error = refused(site, expect=1)
    assert (error["code"], error["file"], error["line"]) == ("LINT_FAILED", str(path), 3)
    assert "lint-ignore: " in error["hint"] and not site.backups.exists()


def test_a_missing_sqlite_file_is_not_made_by_a_deploy_that_fails(make_database: MakeDatabase, tmp_path: Path) -> None:
    site = Site(make_database("sqlite"), library(tmp_path), tmp_path)
    site.folder.add("004_all", "DELETE FROM author;\n", "SELECT 1;\n")
    assert site.deploy(expect=1)["error"]["code"] == "LINT_FAILED"
    assert site.deploy("nowhere", expect=2)["error"]["code"] == "UNKNOWN_TARGET"
    assert site.database.path is not None and not site.database.path.exists() and not site.backups.exists()


def test_a_role_that_may_not_create_is_told_before_anything_runs(pg: Site, pg_url: str) -> None:
    from urllib.parse import urlsplit, urlunsplit

    role = f"reader_{os.getpid()}"
    pg.database.script(f"CREATE ROLE {role} LOGIN; GRANT SELECT ON ALL TABLES IN SCHEMA public TO {role}")
    try:
        parts = urlsplit(pg.database.url)
        url = urlunsplit(parts._replace(netloc=f"{role}@{parts.netloc.rpartition('@')[2]}"))
        weak = Site(Database("postgres", url, None, pg.database.opener), pg.folder, pg.home)
        assert refused(weak, expect=1)["code"] == "PREFLIGHT_FAILED"
        assert not pg.backups.exists()
    finally:
        pg.database.script(f"DROP OWNED BY {role}; DROP ROLE {role}")


def test_a_broken_history_stops_it(site: Site) -> None:
    (site.folder.path / f"{AUTHOR}.sql").write_text("-- Another one.\n\nCREATE TABLE other (id INTEGER);\n")
    error = refused(site, expect=6)
    assert error["code"] == "CHECKSUM_MISMATCH" and not site.backups.exists()


# Another run, and a signal.


def test_a_lock_that_another_run_holds(site: Site) -> None:
    with holding(site):
        error = refused(site, "--lock-wait", "0", expect=5)
    assert error["code"] == "LOCK_TIMEOUT" and not site.backups.exists()


@contextmanager
def holding(site: Site) -> Iterator[None]:
    if site.database.path is not None:
        with Path(f"{site.database.path}.maxwell-lock").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield
        return
    add_slow(site)
    with site.running("apply") as run:
        wait_until(lambda: sleeps(site), "the other run is not under way")
        yield
        run.send_signal(signal.SIGINT)
        run.communicate(timeout=20)


def add_slow(site: Site) -> None:
    """A pending migration that takes half a minute, after one that is through at once."""
    slow = (
        "SELECT pg_sleep(30);\n"
        if site.database.dialect == "postgres"
        else "CREATE TABLE slow AS WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 90000000)"
        " SELECT max(i) AS i FROM n;\n"
    )
    rollback = "SELECT 1;\n" if site.database.dialect == "postgres" else "DROP TABLE slow;\n"
    site.folder.add("004_slow", slow, rollback)


def sleeps(site: Site) -> bool:
    return bool(
        site.database.value(
            "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(30)%' AND pid <> pg_backend_pid()"
        )
    )


@pytest.mark.parametrize("where", ["the real one", "the rehearsal"])
def test_sigterm_leaves_nothing_half_done(site: Site, where: str) -> None:
    """What was committed stays and is named; what ran is rolled back; no lock is left, and no second runner came in."""
    add_slow(site)
    before = site.facts()
    rehearse = ["--rehearse"] if where == "the rehearsal" else []
    with site.running("deploy", "--backup-dir", "backups", *rehearse) as run:
        wait_for_line(run, "rehearsing" if rehearse else f"applied  {PRICE}")
        error = site.run("--json", "apply", "--lock-wait", "0", expect=5).json()["error"]
        assert error["code"] == "LOCK_TIMEOUT"
        run.send_signal(signal.SIGTERM)
        _, stderr = run.communicate(timeout=20)
    assert run.returncode == 143 and "Traceback" not in stderr
    assert "error: interrupted" in stderr
    if rehearse:
        assert site.facts() == before
    else:
        assert f"committed: {PRICE}" in stderr and marks(site.database) == [AUTHOR, BOOK, PRICE]
    assert held_locks(site.database) == [] and site.leftovers() == []
    assert len(site.whole_backups()) == 1
    site.run("rollback", BOOK, "--yes")
    assert site.facts() == before


def test_sigterm_in_the_backup_leaves_none(pg: Site) -> None:
    """The child is ended, too."""
    major = pg.database.value("SELECT current_setting('server_version_num')::int / 10000")
    slow = pg.home / "slow"
    slow.mkdir()
    for name in ("pg_dump", "pg_restore"):
        (slow / name).write_text(
            f'#!/bin/sh\n[ "$1" = --version ] && exec echo "{name} (PostgreSQL) {major}.9"\n'
            f"echo $$ > {pg.home}/pid; exec sleep 60\n"
        )
        (slow / name).chmod(0o755)
    with untouched(pg), pg.running("deploy", "--backup-dir", "backups", "--pg-bin", str(slow)) as run:
        wait_until((pg.home / "pid").exists, "the dump is not begun")
        wait_until((pg.home / "pid").read_text, "the dump is not begun")
        run.send_signal(signal.SIGTERM)
        run.communicate(timeout=20)
    assert run.returncode == 143
    assert list(pg.backups.iterdir()) == []
    child = int((pg.home / "pid").read_text())
    wait_until(lambda: not Path(f"/proc/{child}").exists(), "pg_dump is still there")


# Protected databases.


def name_of(site: Site) -> str:
    path = site.database.path
    return path.name if path is not None else site.database.value("SELECT current_database()::text")


@pytest.mark.parametrize("how", ["marked", "by the file"])
def test_a_protected_database_wants_its_name(site: Site, how: str) -> None:
    if how == "marked":
        assert "now protected" in site.run("protect").stdout
        assert "already protected" in site.run("protect").stdout
    else:
        (site.home / "yoyo.ini").write_text("[maxwell-db]\nprotected = true\n")
    backup = site.home / ("a.sqlite" if site.database.dialect == "sqlite" else "a.dump")
    site.run("backup", str(backup))
    name = name_of(site)
    losing = [
        ("rollback", "--yes"),
        ("restore", str(backup), "--yes"),
        ("deploy", "--no-backup", "--yes"),
        *([("protect", "--off")] if how == "marked" else []),
    ]
    with untouched(site):
        for command in losing:
            error = site.run("--json", *command, expect=2).json()["error"]
            assert error["code"] == "NOT_CONFIRMED" and error["hint"] == f"Name it: --confirm {name}."
            error = site.run("--json", *command, "--confirm", f"{name}x", expect=2).json()["error"]
            assert error["code"] == "NOT_CONFIRMED" and f"is called {name}" in error["message"]
    for command in losing:
        site.run(*command, "--confirm", name)
    if how == "marked":
        site.run("rollback", "--yes")  # as anywhere


def test_a_protected_database_is_deployed_to_with_a_backup_and_restored_by_itself(site: Site) -> None:
    """What deploy does about its own failure is no loss that anybody has to confirm; the mark outlives it."""
    site.run("protect")
    site.folder.add("004_broken", "INSERT INTO author (id, nowhere) VALUES (4, 'x');\n")
    before = site.facts()
    for choice in ("rollback", "restore"):
        assert site.deploy("--on-failure", choice, expect=1)["recovery"]["problem"] is None
        assert site.facts() == before
    assert "already protected" in site.run("protect").stdout


@pytest.mark.parametrize(("typed", "expect"), [("right", 0), ("wrong", 2)])
def test_on_a_terminal_the_name_is_typed(lite: Site, typed: str, expect: int) -> None:
    lite.run("protect")
    name = name_of(lite)
    code, seen = on_a_terminal(
        program(lite, "rollback", "--yes"),
        cwd=lite.home,
        env=clean_environment(None),
        typed=[("Type its name", name if typed == "right" else "yes")],
    )
    assert code == expect, seen
    assert f"in the protected database {name}? Type its name" in seen
    assert marks(lite.database) == ([AUTHOR] if typed == "right" else [AUTHOR, BOOK])


def test_on_a_terminal_it_asks_before_it_goes_without_a_backup(lite: Site) -> None:
    for answer, expect in (("n", 2), ("y", 0)):
        code, seen = on_a_terminal(
            [
                sys.executable,
                "-m",
                "runner",
                "-d",
                lite.database.url,
                "--sql",
                str(lite.folder.path),
                "deploy",
                "--no-backup",
            ],
            cwd=lite.home,
            env=clean_environment(None),
            typed=[("[y/N]", answer)],
        )
        assert code == expect, seen
        assert f"Deploy without a backup in the database {name_of(lite)}? [y/N]" in seen
    assert marks(lite.database) == [AUTHOR, BOOK, PRICE]


def test_progress_on_a_terminal_leaves_plain_lines(lite: Site) -> None:
    code, seen = on_a_terminal(
        program(lite, "deploy"),
        cwd=lite.home,
        env=clean_environment({"TERM": "xterm", "COLUMNS": "100"}),
    )
    assert code == 0
    assert "backing up to " in seen and f"applied  {PRICE}" in seen and "1 migration applied in" in seen


def test_backups_are_private(site: Site) -> None:
    site.deploy()
    assert stat.S_IMODE(site.backups.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in site.backups.iterdir()} == {0o600}
