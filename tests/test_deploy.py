"""``deploy``: backup, apply, verify, report; and what becomes of a failure, by each ``--on-failure``."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from runner.operations import deploy as operation
from runner.sources import folder as folder_reader
from tests.support.databases import Database
from tests.support.deploying import FLAG, Site, add_flag, wait_until
from tests.support.deploying import site as make_site
from tests.support.folders import footprint, own_schema
from tests.support.migrations import AUTHOR, BOOK, PRICE, bookkeeping, marks
from tests.support.tool import maxwell_db

BROKEN = "004_broken"
NOWHERE = "INSERT INTO author (id, name) VALUES (3, 'Ida');\nINSERT INTO author (id, nowhere) VALUES (4, 'x');\n"

ON_FAILURE = ["stop", "rollback", "restore"]


@pytest.fixture
def site(database: Database, tmp_path: Path) -> Site:
    return make_site(database, tmp_path)


def on_a_shell(site: Site, command: str, env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Run a line as somebody pastes it, in the same folder."""
    return subprocess.run(
        command,
        shell=True,
        cwd=site.home,
        env=env,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
    )


# Where all goes well.


def test_nothing_pending_is_no_failure_and_makes_no_backup(site: Site) -> None:
    site.run("apply")
    before = footprint(site.database)
    assert site.run("deploy").stdout == "Nothing to do; the database is at version 0.3.0.\n"
    quiet = site.run("--quiet", "deploy")
    assert (quiet.stdout, quiet.stderr) == ("", "")
    answer = site.deploy()
    assert (answer["changed"], answer["applied"], answer["backup"], answer["way_back"]) == (False, [], None, [])
    assert not site.backups.exists()
    assert footprint(site.database) == before


def test_the_report_of_a_success(site: Site) -> None:
    site.folder.add("004_shop", "CREATE TABLE shop (id INTEGER NOT NULL PRIMARY KEY);\n", "DROP TABLE shop;\n")
    site.folder.add("005_ida", "INSERT INTO author (id, name) VALUES (3, 'Ida');\n", "SELECT 1;\n")
    result = site.run("deploy", "--backup-dir", "backups")
    (backup,) = site.backups.glob("*.json")
    lines = result.stdout.splitlines()
    assert lines[0].startswith(f"Backup: backups/{backup.stem} (")
    assert lines[1].startswith("3 migrations applied in ")
    assert lines[2].startswith("Verified: all ")
    assert lines[3:5] == ["1 new table: shop.", "  author: 2 rows before, 3 after"]
    assert lines[-2].endswith(f" rollback {BOOK}")
    assert lines[-1].endswith(f" restore backups/{backup.stem}")
    assert "applied  003_price" in result.stderr


def test_the_json_of_a_success(site: Site) -> None:
    site.folder.add("004_shop", "CREATE TABLE shop (id INTEGER NOT NULL PRIMARY KEY);\n", "DROP TABLE shop;\n")
    answer = site.deploy()
    assert answer["changed"] is True
    assert [one["id"] for one in answer["applied"]] == [PRICE, "004_shop"]
    assert (answer["version_before"], answer["version"]) == ("0.2.0", "0.3.0")
    (file,) = site.whole_backups()
    assert answer["backup"] == {"file": f"backups/{file.name}", "size": file.stat().st_size}
    assert answer["rows"] == {
        "author": {"before": 2, "after": 2},
        "book": {"before": 3, "after": 3},
        "shop": {"before": None, "after": 0},
    }
    assert {one["severity"] for one in answer["preflight"]} <= {"ok", "info", "warn"}
    assert {one["status"] for one in answer["verify"]["checks"]} == {"passed", "skipped"}
    assert answer["verify"]["counts"] == {"author": 2, "book": 3, "shop": 0}
    assert (answer["recovery"], answer["rehearsal"]) == (None, None)
    assert answer["duration_ms"] > 0


def test_a_target_is_where_it_ends(site: Site) -> None:
    site.folder.add("004_shop", "CREATE TABLE shop (id INTEGER NOT NULL PRIMARY KEY);\n", "DROP TABLE shop;\n")
    assert [one["id"] for one in site.deploy("0.3.0")["applied"]] == [PRICE]
    assert marks(site.database) == [AUTHOR, BOOK, PRICE]


@pytest.mark.parametrize("way", [0, 1], ids=["rollback", "restore"])
def test_each_way_back_is_a_command_that_leads_back(site: Site, way: int, shell: dict[str, str]) -> None:
    before = site.facts()
    answer = site.deploy()
    assert site.facts() != before and len(answer["way_back"]) == 2
    done = on_a_shell(site, f"{answer['way_back'][way]} --yes", shell)
    assert done.returncode == 0, done.stderr
    assert site.facts() == before
    assert site.folder.states(site.database) == {AUTHOR: "applied", BOOK: "applied", PRICE: "pending"}


def test_an_irreversible_migration_has_one_way_back(site: Site) -> None:
    site.folder.add("004_end", "DROP TABLE book;\n", None, irreversible="it is the end", expect_row_loss="book")
    answer = site.deploy("--on-failure", "stop")
    (way,) = answer["way_back"]
    assert " restore " in way


def test_a_password_is_no_part_of_a_way_back(make_database: Callable[[str], Database], tmp_path: Path) -> None:
    site = make_site(make_database("postgres"), tmp_path)
    separator = "&" if "?" in site.database.url else "?"
    url = f"{site.database.url}{separator}password=hunter2"
    result = maxwell_db("--json", "deploy", database=url, sql=site.folder.path, cwd=tmp_path)
    assert result.exit_code == 0 and "hunter2" not in result.stdout + result.stderr


def test_a_missing_sqlite_file_is_made_without_a_backup(
    make_database: Callable[[str], Database], tmp_path: Path
) -> None:
    from tests.support.migrations import library

    site = Site(make_database("sqlite"), library(tmp_path), tmp_path)
    answer = site.deploy()
    assert len(answer["applied"]) == 3 and answer["backup"] is None
    assert [way.split()[-2:] for way in answer["way_back"]] == [["rollback", "base"]]
    assert not site.backups.exists()


def test_without_a_backup_if_that_is_said_twice(site: Site) -> None:
    before = site.facts()
    error = site.deploy("--no-backup", expect=2)["error"]
    assert error["code"] == "NOT_CONFIRMED" and "--yes" in error["hint"]
    assert site.facts() == before
    answer = site.deploy("--no-backup", "--yes")
    assert answer["backup"] is None and len(answer["way_back"]) == 1
    assert not site.backups.exists()
    for contradiction in (("--rehearse",), ("--on-failure", "restore")):
        assert site.deploy("--no-backup", "--yes", *contradiction, expect=2)["error"]["code"] == "USAGE"


def test_a_schema_of_its_own(make_database: Callable[[str], Database], tmp_path: Path) -> None:
    """Only the tables of the schema are touched; the rows of the others are in the report under their schema."""
    base = make_database("postgres")
    with own_schema(base, "shelf") as database:
        site = make_site(database, tmp_path)
        base.script("CREATE TABLE elsewhere (id INTEGER); INSERT INTO elsewhere VALUES (1)")
        answer = site.deploy()
        assert [one["id"] for one in answer["applied"]] == [PRICE]
        assert answer["rows"] == {
            "elsewhere": {"before": 1, "after": 1},
            "shelf.author": {"before": 2, "after": 2},
            "shelf.book": {"before": 3, "after": 3},
        }
        site.folder.add(BROKEN, NOWHERE)
        site.folder.add("003b_more", "CREATE TABLE more (id INTEGER NOT NULL PRIMARY KEY);\n", "DROP TABLE more;\n")
        before = site.facts()
        for choice in ("rollback", "restore"):
            assert site.deploy("--on-failure", choice, expect=1)["recovery"]["problem"] is None
            assert site.facts() == before


# A statement fails.


@pytest.mark.parametrize("choice", ON_FAILURE)
def test_the_first_migration_fails_and_nothing_was_committed(site: Site, choice: str) -> None:
    site.folder.add(
        PRICE,
        f"ALTER TABLE book ADD COLUMN price INTEGER;\n{NOWHERE}",
        "ALTER TABLE book DROP COLUMN price;\n",
        depends=BOOK,
    )
    before = site.facts()
    answer = site.deploy("--on-failure", choice, expect=1)
    error = answer["error"]
    assert (error["code"], error["line"]) == ("STATEMENT_FAILED", 6)
    assert error["message"].endswith("\nnothing was committed; the database is as it was before this deploy")
    assert "Correct the file" in error["hint"]
    assert (answer["changed"], answer["applied"], answer["recovery"]) == (False, [], None)
    assert site.facts() == before
    assert len(site.whole_backups()) == 1


@pytest.mark.parametrize("choice", ON_FAILURE)
def test_a_later_migration_fails(site: Site, choice: str) -> None:
    site.folder.add(BROKEN, NOWHERE)
    before = site.facts()
    answer = site.deploy("--on-failure", choice, expect=1)
    error, recovery = answer["error"], answer["recovery"]
    assert error["code"] == "STATEMENT_FAILED" and error["file"].endswith(f"{BROKEN}.sql")
    (backup,) = site.whole_backups()
    if choice == "stop":
        assert (answer["changed"], [one["id"] for one in answer["applied"]]) == (True, [PRICE])
        assert recovery is None and error["hint"].endswith(f" restore backups/{backup.name}")
        assert marks(site.database) == [AUTHOR, BOOK, PRICE]
        site.run("restore", "--yes", str(backup))
    else:
        assert (answer["changed"], answer["applied"]) == (False, [])
        assert recovery["action"] == choice and recovery["problem"] is None
        assert [one["id"] for one in recovery["rolled_back"]] == ([PRICE] if choice == "rollback" else [])
        assert "Correct it, and deploy again." in error["hint"]
    assert site.facts() == before
    assert answer["rows"]["author"] == {"before": 2, "after": 2}
    # The next one, of the corrected file, goes on.
    site.folder.add(BROKEN, "INSERT INTO author (id, name) VALUES (3, 'Ida');\n")
    assert [one["id"] for one in site.deploy()["applied"]] == [PRICE, BROKEN]


def test_the_words_of_a_failure(site: Site) -> None:
    site.folder.add(BROKEN, NOWHERE)
    result = site.run("deploy", expect=1)
    assert result.stdout == ""
    assert "\nfailed: rolling back to version 0.2.0\n" in result.stderr
    statement, note, hint = result.stderr.splitlines()[-3:]
    assert statement.startswith("    INSERT INTO author (id, nowhere)") and note == "rolled back to version 0.2.0"
    assert "committed:" not in result.stderr
    assert hint == "hint: What this deploy had committed is rolled back. Correct it, and deploy again."
    result = site.run("deploy", "--on-failure", "stop", expect=1)
    assert f"\ncommitted: {PRICE}\n" in result.stderr
    result = site.run("-q", "deploy", "--on-failure", "restore", expect=1)
    assert result.stdout == "" and result.stderr.startswith("error: ")


def test_what_others_wrote_meanwhile_is_kept_where_nothing_is_to_be_restored(site: Site) -> None:
    """A backup is put back to undo what was committed. Where nothing was, that would only lose what came since."""
    other = "INSERT INTO book (id, author_id) VALUES (4, 1)"
    checks = add_flag(site)
    before = len(site.facts()["book"])
    site.deploy(PRICE)
    answer = site.deploy("--gate", "--checks", str(checks), "--on-failure", "restore", expect=4)
    assert answer["recovery"] is None
    site.database.script(other)
    site.deploy("--gate", "--checks", str(checks), "--on-failure", "restore", expect=4)
    assert len(site.facts()["book"]) == before + 1


# A check fails.


@pytest.mark.parametrize("choice", ON_FAILURE)
def test_a_check_fails_after_the_commit(site: Site, choice: str) -> None:
    checks = add_flag(site)
    before = site.facts()
    answer = site.deploy("--checks", str(checks), "--on-failure", choice, expect=4)
    error, recovery = answer["error"], answer["recovery"]
    assert error["code"] == "VIOLATIONS_FOUND" and "no-flags (1): flag 7: a flag" in error["message"]
    (failed,) = [one for one in answer["verify"]["checks"] if one["status"] == "failed"]
    assert (failed["name"], failed["violations"]) == ("no-flags", 1)
    if choice == "stop":
        assert [one["id"] for one in answer["applied"]] == [PRICE, FLAG] and recovery is None
        assert marks(site.database) == [AUTHOR, BOOK, PRICE, FLAG]
        assert "The backup leads back: maxwell-db" in error["hint"] and f"rollback {BOOK}" in error["hint"]
        return
    assert recovery["action"] == choice and recovery["problem"] is None
    assert [one["id"] for one in recovery["rolled_back"]] == ([FLAG, PRICE] if choice == "rollback" else [])
    assert site.facts() == before


@pytest.mark.parametrize("choice", ON_FAILURE)
def test_the_gate_closes(site: Site, choice: str) -> None:
    """The first was committed by then, the second never was."""
    checks = add_flag(site)
    before = site.facts()
    answer = site.deploy("--gate", "--checks", str(checks), "--on-failure", choice, expect=4)
    assert answer["error"]["code"] == "GATE_CLOSED"
    assert [one["id"] for one in answer["applied"]] == ([PRICE] if choice == "stop" else [])
    assert marks(site.database) == [AUTHOR, BOOK, *([PRICE] if choice == "stop" else [])]
    if choice != "stop":
        assert site.facts() == before


def test_all_in_one_transaction_leaves_nothing_to_take_back(site: Site) -> None:
    checks = add_flag(site)
    before = site.facts()
    answer = site.deploy("--gate", "--single-transaction", "--checks", str(checks), expect=4)
    assert (answer["recovery"], answer["applied"]) == (None, [])
    assert site.facts() == before


def test_a_check_that_cannot_run_is_a_failure_that_is_taken_back(site: Site) -> None:
    checks = add_flag(site)
    check = checks / "no-flags.sql"
    check.write_text(check.read_text().replace("id AS row_key", "nowhere AS row_key"))
    before = site.facts()
    answer = site.deploy("--checks", str(checks), expect=1)
    assert "nowhere" in answer["error"]["message"] and answer["error"]["file"] == str(check)
    assert [one["id"] for one in answer["recovery"]["rolled_back"]] == [FLAG, PRICE]
    assert answer["recovery"]["problem"] is None
    assert site.facts() == before


def test_out_of_order_takes_back_what_it_applied_and_no_more(site: Site) -> None:
    site.deploy()
    site.folder.add("002b_late", "CREATE TABLE late (id INTEGER NOT NULL PRIMARY KEY);\n", "DROP TABLE late;\n")
    site.folder.add(BROKEN, NOWHERE)
    before = site.facts()
    answer = site.deploy("--allow-out-of-order", expect=1)
    assert [one["id"] for one in answer["recovery"]["rolled_back"]] == ["002b_late"]
    assert site.facts() == before
    (site.folder.path / f"{BROKEN}.sql").unlink()
    (site.folder.path / f"{BROKEN}.rollback.sql").unlink()
    (way,) = site.deploy("--allow-out-of-order")["way_back"]  # a rollback would take back the newer one, too
    assert " restore " in way


# The way back fails itself.


def test_an_irreversible_migration_cannot_be_taken_back(site: Site) -> None:
    site.folder.add(PRICE, "ALTER TABLE book ADD COLUMN price INTEGER;\n", None, irreversible="prices stay")
    (site.folder.path / f"{PRICE}.rollback.sql").unlink()
    site.folder.add(BROKEN, NOWHERE)
    answer = site.deploy(expect=1)
    recovery, error = answer["recovery"], answer["error"]
    assert recovery["rolled_back"] == [] and "irreversible: prices stay" in recovery["problem"]
    assert "rolling back to version 0.2.0 failed, too" in error["message"]
    assert error["hint"].startswith("The backup leads back: maxwell-db")
    assert marks(site.database) == [AUTHOR, BOOK, PRICE]
    assert [one["id"] for one in answer["applied"]] == [PRICE]


def test_a_rollback_that_fails_half_way_says_where_it_stands(site: Site, shell: dict[str, str]) -> None:
    before = site.facts()
    back = site.folder.path / f"{PRICE}.rollback.sql"
    back.write_text("ALTER TABLE book DROP COLUMN price;\nSELECT nowhere FROM book;\n")
    checks = add_flag(site)
    answer = site.deploy("--checks", str(checks), expect=4)
    recovery, error = answer["recovery"], answer["error"]
    assert [one["id"] for one in recovery["rolled_back"]] == [FLAG] and "nowhere" in recovery["problem"]
    assert [one["id"] for one in answer["applied"]] == [PRICE]
    assert marks(site.database) == [AUTHOR, BOOK, PRICE]
    assert f"{PRICE}.rollback.sql:2: " in error["message"]
    # The command that it offers leads back.
    done = on_a_shell(site, f"{error['hint'].partition(': ')[2]} --yes", shell)
    assert done.returncode == 0, done.stderr
    assert site.facts() == before


def test_what_a_rollback_cannot_bring_back_is_named(site: Site) -> None:
    """Rows are gone: the rollback runs, the checks see that they are missing still, the backup is offered."""
    before = site.facts()
    site.folder.add(
        "004_gone",
        "DELETE FROM book WHERE id > 1;\n",
        "SELECT 1;\n",
        lint_ignore="destructive-statement somebody thought that it was right",
    )
    answer = site.deploy(expect=4)
    assert answer["recovery"]["problem"] == "row-loss (1): book: 3 rows before, 1 after"
    assert [one["id"] for one in answer["recovery"]["rolled_back"]] == ["004_gone", PRICE]
    assert "still the data are not what they were" in answer["error"]["message"]
    assert answer["rows"]["book"] == {"before": 3, "after": 1}
    assert " restore " in answer["error"]["hint"]
    (backup,) = site.whole_backups()
    site.run("restore", "--yes", str(backup))
    assert site.facts() == before
    # With --on-failure restore nobody has to do that.
    answer = site.deploy("--on-failure", "restore", expect=4)
    assert (answer["recovery"]["problem"], answer["rows"]["book"]) == (None, {"before": 3, "after": 3})
    assert site.facts() == before


def test_what_is_unfinished_stops_and_the_backup_is_offered(
    make_database: Callable[[str], Database], tmp_path: Path
) -> None:
    """A statement outside a transaction fails, and nobody knows what it left."""
    site = make_site(make_database("postgres"), tmp_path)
    site.folder.add("004_move", "CALL move();\n", "SELECT 1;\n", transactional="false")
    site.database.script(
        "CREATE PROCEDURE move() LANGUAGE plpgsql AS"
        " $$ BEGIN INSERT INTO author VALUES (3, 'Ida'); COMMIT; PERFORM 1 / 0; END $$"
    )
    answer = site.deploy(expect=8)
    assert answer["error"]["code"] == "UNFINISHED"
    assert answer["recovery"] == {
        "action": "rollback",
        "rolled_back": [],
        "problem": "what is unfinished cannot be rolled back",
    }
    assert "maxwell-db repair" in answer["error"]["hint"] and " restore " in answer["error"]["hint"]
    assert marks(site.database) == [AUTHOR, BOOK, PRICE]
    # The next deploy sees it before it does anything.
    answer = site.deploy(expect=8)
    assert (answer["error"]["code"], answer["backup"]) == ("UNFINISHED", None)
    (backup,) = site.whole_backups()
    site.run("restore", "--yes", str(backup))
    assert site.folder.states(site.database) == {
        AUTHOR: "applied",
        BOOK: "applied",
        PRICE: "pending",
        "004_move": "pending",
    }
    assert site.database.value("SELECT count(*) FROM author") == 2
    # Restored by itself, where that was asked for: it may have committed a part.
    answer = site.deploy("--on-failure", "restore", expect=8)
    assert answer["recovery"] == {"action": "restore", "rolled_back": [], "problem": None}
    assert site.database.value("SELECT count(*) FROM author") == 2


def test_an_index_that_cannot_be_built_concurrently_is_an_ordinary_failure(
    make_database: Callable[[str], Database], tmp_path: Path
) -> None:
    site = make_site(make_database("postgres"), tmp_path)
    site.folder.add(
        "004_one",
        "CREATE UNIQUE INDEX CONCURRENTLY one_book ON book (author_id);\n",
        "DROP INDEX CONCURRENTLY one_book;\n",
        transactional="false",
    )
    before = site.facts()
    answer = site.deploy(expect=1)
    assert [one["id"] for one in answer["recovery"]["rolled_back"]] == [PRICE]
    assert site.facts() == before
    assert site.database.value("SELECT to_regclass('one_book')") is None


def test_a_database_that_the_deploy_made_goes_back_to_base(
    make_database: Callable[[str], Database], tmp_path: Path
) -> None:
    from tests.support.migrations import library

    site = Site(make_database("sqlite"), library(tmp_path), tmp_path)
    site.folder.add(BROKEN, NOWHERE)
    answer = site.deploy("--on-failure", "restore", expect=1)
    assert answer["recovery"]["action"] == "rollback" and len(answer["recovery"]["rolled_back"]) == 3
    assert site.database.tables() == set() and marks(site.database) == []


def test_what_ended_its_own_transaction_is_not_taken_for_nothing(
    make_database: Callable[[str], Database], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has committed a part without its mark: a rollback would not find that."""
    site = make_site(make_database("postgres"), tmp_path)
    site.folder.add("004_part", "INSERT INTO author VALUES (3, 'Ida');\nCOMMIT;\nSELECT 1;\n", "SELECT 1;\n")
    before = site.facts()
    # The looks at the file's text see nothing, so that it comes to that.
    monkeypatch.setattr(folder_reader, "refuse_transaction_control", lambda *script, **how: None)
    monkeypatch.setattr(operation, "review_pending", lambda *files: ())
    answer = site.deploy("--on-failure", "rollback", expect=1)
    assert answer["error"]["code"] == "TRANSACTION_ENDED"
    assert answer["recovery"]["problem"] == "nobody knows what was committed"
    assert " restore " in answer["error"]["hint"]
    site.run("restore", "--yes", str(site.whole_backups()[0]))
    assert site.facts() == before
    answer = site.deploy("--on-failure", "restore", expect=1)
    assert answer["recovery"] == {"action": "restore", "rolled_back": [], "problem": None}
    assert site.facts() == before


@pytest.mark.parametrize("choice", ["rollback", "restore"])
def test_a_server_that_ends_the_session_half_way(
    make_database: Callable[[str], Database], tmp_path: Path, choice: str
) -> None:
    """The rollback has no connection any more, and says so; a restore makes one of its own."""
    site = make_site(make_database("postgres"), tmp_path)
    site.folder.add("004_slow", "SELECT pg_sleep(30);\n", "SELECT 1;\n")
    before = site.facts()
    sleeping = "FROM pg_stat_activity WHERE query LIKE '%pg_sleep(30)%' AND pid <> pg_backend_pid()"
    with site.running("--json", "deploy", "--backup-dir", "backups", "--on-failure", choice) as run:
        wait_until(lambda: site.database.value(f"SELECT count(*) {sleeping}"), "it is not under way")
        site.database.query(f"SELECT pg_terminate_backend(pid) {sleeping}")
        stdout, stderr = run.communicate(timeout=30)
    answer = json.loads(stdout)
    assert run.returncode == 1 and "Traceback" not in stderr
    if choice == "restore":
        assert answer["recovery"] == {"action": "restore", "rolled_back": [], "problem": None}
    else:
        assert answer["recovery"]["problem"] and [one["id"] for one in answer["applied"]] == [PRICE]
        assert " restore " in answer["error"]["hint"]
        site.run("rollback", BOOK, "--yes")
    assert site.facts() == before


# The rehearsal.


def test_a_rehearsal_proves_the_backup_and_goes_on(site: Site) -> None:
    result = site.run("deploy", "--rehearse", "--backup-dir", "backups")
    assert "rehearsing on a copy" in result.stderr and "will hold locks for about" in result.stderr
    assert "Rehearsed on a copy made from it: 1 migration, " in result.stdout
    assert marks(site.database) == [AUTHOR, BOOK, PRICE]
    (backup,) = site.run("--json", "backups", "--backup-dir", "backups").json()["backups"]
    assert backup["tested"]["passed"] is True


@pytest.mark.parametrize("what", ["statement", "check", "broken check"])
def test_a_rehearsal_that_fails_leaves_the_database_untouched(site: Site, what: str) -> None:
    checks = add_flag(site)
    more = [] if what == "statement" else ["--checks", str(checks)]
    if what == "statement":
        site.folder.add(FLAG, NOWHERE)
    elif what == "broken check":
        check = checks / "no-flags.sql"
        check.write_text(check.read_text().replace("id AS row_key", "nowhere AS row_key"))
    before = footprint(site.database)
    answer = site.deploy("--rehearse", *more, expect=4 if what == "check" else 1)
    error = answer["error"]
    codes = {"statement": "STATEMENT_FAILED", "check": "VIOLATIONS_FOUND", "broken check": "CHECK_FAILED"}
    assert error["code"] == codes[what]
    assert error["message"].startswith("the rehearsal failed, and the database was not touched: ")
    assert (answer["changed"], answer["applied"], answer["recovery"]) == (False, [], None)
    assert footprint(site.database) == before
    assert len(site.whole_backups()) == 1
    if site.database.dialect == "postgres":
        assert site.database.value("SELECT count(*) FROM pg_database WHERE datname LIKE '%scratch%maxwell%'") == 0


# The bookkeeping of an empty database.


def test_a_first_deploy_into_an_empty_database(make_database: Callable[[str], Database], tmp_path: Path) -> None:
    from tests.support.migrations import library

    site = Site(make_database("postgres"), library(tmp_path), tmp_path)
    answer = site.deploy()
    assert len(answer["applied"]) == 3 and answer["backup"] is not None
    assert bookkeeping(site.database)


def test_the_fixture_is_what_it_says(site: Site) -> None:
    """What the tests above compare is there, and would show a loss."""
    assert {name: len(rows) for name, rows in site.facts().items()} == {"author": 2, "book": 3, "marks": 2}
