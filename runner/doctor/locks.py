"""Who holds the database: a run of ours, or the row of a plain yoyo. Looked at without taking anything."""

from __future__ import annotations

from collections.abc import Iterator

from runner.doctor.patient import Patient
from runner.domain.finding import Finding, Severity, ok, run_command, words
from runner.lock import postgres_lock_holder, sqlite_lock_holder
from runner.yoyo_row import holder, read_row


def look(patient: Patient) -> Iterator[Finding]:
    sqlite = patient.dialect == "sqlite"
    who = sqlite_lock_holder(patient.path) if sqlite else postgres_lock_holder(patient.connection)
    row = read_row(patient.connection, patient.dialect)
    if who is not None:
        cure = words("Let it end. Our locks end with their process, and need no unlocking.")
        yield Finding("run-at-work", Severity.WARN, f"the database is held by {who}", cure)
    if row is None:
        if who is None:
            yield ok("lock", "no run holds the database")
        return
    at_work = holder(patient.connection, patient.dialect, row)
    message = f"the lock row of a plain yoyo is there: its pid {row.pid}, since {row.since}"
    if at_work is None:
        message += "; that process is gone, and the row keeps every run waiting"
        yield Finding("yoyo-lock-left", Severity.ERROR, message, run_command("maxwell-db unlock"))
    elif who is None:
        # A run of ours takes the row inside its own transactions, where nobody sees it.
        message += f"; it may be at work ({at_work})"
        cure = run_command("maxwell-db unlock --force  # if you know that it is dead")
        yield Finding("yoyo-at-work", Severity.WARN, message, cure)
