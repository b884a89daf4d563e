"""PostgreSQL's client programs: every candidate is looked at, one that fits is taken, and no password is shown."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from runner.dialects.postgres_programs import access, candidates, find, find_exactly
from runner.domain.url import parse_url
from runner.errors import BackupFailed


def program(folder: Path, name: str, words: str, code: int = 0) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text(f"#!/bin/sh\necho '{words}'\nexit {code}\n")
    path.chmod(0o755)
    return path


@pytest.fixture
def bins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Three pg_dumps on the PATH, a file of that name that does not run, and nothing anywhere else."""
    for version in ("14.9", "16.4", "17.2"):
        program(tmp_path / version, "pg_dump", f"pg_dump (PostgreSQL) {version} (Debian {version}-1)")
    program(tmp_path / "broken", "pg_dump", "no such library", 127)
    places = [str(tmp_path / name) for name in ("broken", "14.9", "16.4", "17.2", "nowhere")]
    monkeypatch.setenv("PATH", ":".join([*places, "."]))
    monkeypatch.setattr("runner.dialects.postgres_programs._FOLDERS", ())
    monkeypatch.setattr("runner.dialects.postgres_programs.find_spec", lambda name: None)
    return tmp_path


def test_the_program_of_the_server_s_own_version_is_taken_else_the_next_newer(bins: Path) -> None:
    assert find("pg_dump", 160010).path == bins / "16.4" / "pg_dump"
    assert find("pg_dump", 170000).path == bins / "17.2" / "pg_dump"
    assert {one.version for one in candidates("pg_dump", bins / "14.9")} == {140009}


def test_where_all_are_too_old_each_is_named_and_what_to_install(bins: Path) -> None:
    with pytest.raises(BackupFailed) as failed:
        find("pg_dump", 190001)
    for version in ("14.9", "16.4", "17.2"):
        assert version in failed.value.message
    assert "postgresql-client-19" in str(failed.value.hint)
    assert failed.value.exit_code == 7


def test_a_folder_that_is_named_is_the_only_one_looked_at(bins: Path) -> None:
    assert find("pg_dump", 140000, bins / "14.9").version == 140009
    with pytest.raises(BackupFailed, match=r"14\.9"):
        find("pg_dump", 160000, bins / "14.9")


def test_a_program_without_its_companion_is_told_of(bins: Path) -> None:
    with pytest.raises(BackupFailed, match="pg_restore"):
        find_exactly("pg_restore", find("pg_dump", 160000))


def test_a_child_is_given_the_password_in_a_private_file_and_nowhere_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGPASSWORD", "elsewhere")
    url = parse_url("postgresql://anna:s3%3Acr%5Cet@db.example/maxwell?sslmode=require&schema=own")
    with access(url, "scratch") as (dsn, environment):
        assert "s3" not in dsn and "dbname=scratch" in dsn and "sslmode=require" in dsn
        assert not any("s3" in value for value in environment.values()) and "PGPASSWORD" not in environment
        passfile = Path(environment["PGPASSFILE"])
        assert passfile.read_text() == "*:*:*:*:s3\\:cr\\\\et\n"
        assert stat.S_IMODE(passfile.stat().st_mode) == 0o600
    assert not passfile.exists()
