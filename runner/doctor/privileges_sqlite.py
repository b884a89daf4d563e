"""What this user may do with a SQLite file and its folder, where journal and lock file are written."""

from __future__ import annotations

import os
import shlex
import stat
from collections.abc import Iterator

from runner.doctor.patient import Patient
from runner.domain.finding import Finding, Severity, ok, run_command


def look(patient: Patient) -> Iterator[Finding]:
    path = patient.path
    folder = path.resolve().parent
    writable = os.access(path, os.W_OK)
    if not writable:
        cure = run_command(f"chmod u+w {shlex.quote(str(path))}")
        yield Finding("file-read-only", Severity.ERROR, f"{path} cannot be written", cure, str(path))
    if not os.access(folder, os.W_OK | os.X_OK):
        yield Finding(
            "folder-read-only",
            Severity.ERROR,
            f"the folder {folder} cannot be written, and SQLite writes its journal there",
            run_command(f"chmod u+wx {shlex.quote(str(folder))}"),
            str(folder),
        )
    elif writable:
        yield ok("file-writable", f"{path} and its folder can be written")
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & 0o002:
        cure = run_command(f"chmod o-w {shlex.quote(str(path))}")
        message = f"everybody on the machine can write {path} (mode {mode:o})"
        yield Finding("file-open-to-all", Severity.WARN, message, cure, str(path))
