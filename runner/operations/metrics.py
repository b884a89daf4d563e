"""What happened, as a text file for Prometheus (the node exporter's textfile collector), whole or not at all."""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from runner import __version__
from runner.backup.store import backups_in, default_folder
from runner.domain.deploy import DeployReport
from runner.domain.state import Standing
from runner.errors import EXIT_VIOLATIONS, MaxwellError, UsageError
from runner.history import HistoryEntry, read_history
from runner.operations.project import Project
from verify.model import VerifyReport

Sample = tuple[dict[str, str], float]


def write_metrics(
    path: Path,
    project: Project,
    command: str,
    started: float,
    exit_code: int,
    report: DeployReport | None,
    backup_dir: Path | None,
) -> None:
    """Write the file in place of the one before, in one step. ``started`` is in seconds of Unix time.

    UsageError where it cannot be written.
    """
    standing: Standing | None = None
    history: tuple[HistoryEntry, ...] = ()
    with suppress(MaxwellError):  # the database may be what failed
        standing = project.standing_or_empty()
        history = _history(project)
    names = {"database": project.url.name, "dialect": project.url.dialect}
    lines: list[str] = []
    for name, help, samples in _metrics(project, command, started, exit_code, report, standing, history, backup_dir):
        found = [(labels, value) for labels, value in samples]
        if found:
            lines += [f"# HELP maxwell_db_{name} {help}", f"# TYPE maxwell_db_{name} gauge"]
            lines += [f"maxwell_db_{name}{_labels(names | labels)} {value:.17g}" for labels, value in found]
    _replace(path, "\n".join(lines) + "\n")


def refuse_unwritable(path: Path) -> None:
    """UsageError for a file that could not be written, before anything is done."""
    if path.is_dir() or not os.access(path.parent, os.W_OK | os.X_OK):
        reason = "it is a folder" if path.is_dir() else f"the folder {path.parent} is not there or not ours"
        raise UsageError(
            f"--metrics: {path} cannot be written: {reason}", code="METRICS_NOT_WRITTEN", hint="Name another file."
        )


def _metrics(
    project: Project,
    command: str,
    started: float,
    exit_code: int,
    report: DeployReport | None,
    standing: Standing | None,
    history: Sequence[HistoryEntry],
    backup_dir: Path | None,
) -> Iterator[tuple[str, str, Iterable[Sample]]]:
    run = {"command": command}
    yield "info", "The version of maxwell-db.", [({"version": __version__}, 1)]
    yield "last_run_timestamp_seconds", "When the last run began.", [(run, started)]
    yield "last_run_duration_seconds", "How long it took.", [(run, time.time() - started)]
    yield "last_run_exit_code", "Its exit code.", [(run, exit_code)]
    yield "last_run_success", "1 if that was 0.", [(run, int(exit_code == 0))]
    if standing is not None:
        yield "schema_version_info", "The version of the schema.", [({"version": standing.version or ""}, 1)]
        yield "applied_migrations", "How many migrations are applied.", [({}, len(standing.applied))]
        yield "pending_migrations", "How many are pending.", [({}, len(standing.pending))]
        if standing.applied:
            newest = max(item.applied_at or "" for item in standing.applied)
            yield "last_apply_timestamp_seconds", "When the newest one was applied.", [({}, _unix(newest))]
    verified = report.verify if report is not None else None
    at, passed = _last_verify(history, verified, exit_code)
    yield "last_verify_timestamp_seconds", "When the checks last looked at what a run did.", at
    yield "last_verify_success", "1 if it had broken nothing.", passed
    if verified is not None:
        yield (
            "violations",
            "Violations that the checks found.",
            [({"severity": severity}, _violations(verified, severity)) for severity in ("error", "warn")],
        )
    backups = backups_in(backup_dir or default_folder(project.url), project.url.dialect, project.url.name)
    whole = [one for one in backups if one.problem is None and one.manifest is not None]
    yield "backups", "How many backups there are.", [({}, len(whole))]
    if whole and whole[0].manifest is not None:
        made = _unix(whole[0].manifest.created_at)
        yield "last_backup_timestamp_seconds", "When the newest backup was made.", [({}, made)]
        yield "last_backup_age_seconds", "How old it is.", [({}, time.time() - made)]
        yield "last_backup_size_bytes", "How large it is.", [({}, whole[0].manifest.size)]
        tested = int(whole[0].tested is not None and whole[0].tested.passed)
        yield "last_backup_tested", "1 if it was restored elsewhere and verified.", [({}, tested)]


def _history(project: Project) -> tuple[HistoryEntry, ...]:
    if project.is_missing():
        return ()
    with project.connection(read_only=True) as connection:
        return read_history(connection, project.url.dialect)


def _last_verify(
    history: Sequence[HistoryEntry], verified: VerifyReport | None, exit_code: int
) -> tuple[list[Sample], list[Sample]]:
    """When the checks ran, and whether they passed: in this run, else in the newest one that the ledger knows."""
    if verified is not None:
        return [({}, time.time())], [({}, int(exit_code != EXIT_VIOLATIONS))]
    for entry in reversed(history):
        if entry.verify is not None:
            return [({}, _unix(entry.at))], [({}, int(entry.verify == "passed"))]
    return [], []


def _violations(verified: VerifyReport, severity: str) -> int:
    return sum(one.violations for one in verified.checks if one.status == "failed" and one.severity == severity)


def _labels(labels: dict[str, str]) -> str:
    escaped = {
        name: value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") for name, value in labels.items()
    }
    return "{" + ",".join(f'{name}="{value}"' for name, value in escaped.items()) + "}"


def _unix(at: str) -> float:
    time_of = datetime.fromisoformat(at)
    return (time_of if time_of.tzinfo else time_of.replace(tzinfo=UTC)).timestamp()


def _replace(path: Path, text: str) -> None:
    """A reader sees the old file or the new one, never a part."""
    beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o644)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            os.fchmod(descriptor, 0o644)  # whoever collects it is somebody else, whatever the umask
            file.write(text)
        beside.replace(path)
    except OSError as error:
        beside.unlink(missing_ok=True)
        raise UsageError(
            f"the metrics cannot be written to {path}: {error.strerror}",
            code="METRICS_NOT_WRITTEN",
            hint="What was done to the database is done. Check the folder and its permissions.",
        ) from error
