"""What has to be true before a deploy touches anything: tools, room, rights, and files that pass review."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from runner.domain.finding import Finding
from runner.domain.state import MigrationStatus
from runner.errors import BackupFailed, MaxwellError
from runner.operations.doctor import examine
from runner.operations.lint import lint_files
from runner.operations.project import Project
from runner.sources.place import dialect_folder

_PROBES = ("versions", "privileges", "unfinished")
_PROBES_OF_A_BACKUP = ("pg-dump", "disk")
_OF_A_BACKUP = ("pg-dump", "backup-folder", "backup-disk")  # findings


def examine_for_deploy(
    project: Project, *, backup: bool, backup_dir: Path | None, pg_bin: Path | None
) -> tuple[Finding, ...]:
    """Doctor's findings that concern a deploy. For the first that would make it fail MaxwellError, exit 1.

    BackupFailed, exit 7, where that would be the backup.
    """
    probes = _PROBES + (_PROBES_OF_A_BACKUP if backup else ())
    report = examine(project, probes, backup_dir, pg_bin=pg_bin)
    if report.errors:
        first = report.errors[0]
        others = f" (and {len(report.errors) - 1} more: 'maxwell-db doctor')" if len(report.errors) > 1 else ""
        refusal = BackupFailed if first.id in _OF_A_BACKUP else MaxwellError
        raise refusal(
            f"{first.message}{others}",
            code="PREFLIGHT_FAILED",
            hint=f"Nothing was changed. {first.cure.text if first.cure else 'See maxwell-db doctor.'}",
        )
    return report.findings


def review_pending(project: Project, pending: Sequence[MigrationStatus]) -> tuple[str, ...]:
    """What the rules have against the pending files: warnings are given back, an error is raised, exit 1."""
    files = []
    for item in pending:
        assert item.migration is not None  # what is pending has a file
        files += [script.path for script in (item.migration.apply, item.migration.rollback) if script is not None]
    findings = lint_files(dialect_folder(project.sql, project.url.dialect), project.url.dialect, files)
    for finding in findings:
        if finding.severity == "error":
            raise MaxwellError(
                f"{finding.message} ({finding.rule})",
                code="LINT_FAILED",
                hint=f"Nothing was changed. {finding.hint} Or, with a reason: -- lint-ignore: {finding.rule} REASON",
                file=finding.file,
                line=finding.line,
            )
    return tuple(f"{one.file}:{one.line}: {one.message} ({one.rule})" for one in findings)
