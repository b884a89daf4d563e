"""The command that looks at everything around a database: doctor."""

from __future__ import annotations

from pathlib import Path

from runner.cli import candidates
from runner.cli.options import backup_dir_option, command, option, pg_bin_option
from runner.cli.session import Session
from runner.domain.finding import Severity
from runner.errors import EXIT_FAILED
from runner.interruption import interruptible


@command("doctor")
@backup_dir_option
@pg_bin_option
@option("--exact", is_flag=True, help="Count every row, also where that takes long.")
@option("--strict", is_flag=True, help="Exit with 1 for warnings too.")
@option(
    "--only",
    multiple=True,
    metavar="PROBE",
    shell_complete=candidates.probes,
    help="Look at this only: disk, privileges, tables ...",
)
def doctor(
    session: Session, backup_dir: Path | None, pg_bin: Path | None, exact: bool, strict: bool, only: tuple[str, ...]
) -> int:
    """Look at the database, the tools and the machine, and say what is wrong, with the cure for each finding.

    Writes nothing, takes no lock, creates no file. Exits with 1 if something would make an apply, a backup or a deploy
    fail. Of many findings alike the first few are shown; with -v, and with --json, all of them.
    """
    from runner.cli.render_doctor import doctor_data, doctor_text
    from runner.operations.doctor import examine

    project = session.project()
    report = interruptible(lambda: examine(project, only or None, backup_dir, pg_bin=pg_bin, exact=exact))
    failing = report.of(Severity.ERROR, Severity.WARN) if strict else report.errors
    text = doctor_text(report, project.url, color=session.color, quiet=session.quiet, verbose=session.verbose)
    return session.answer(text, doctor_data(report), EXIT_FAILED if failing else 0)
