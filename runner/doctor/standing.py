"""Where the database stands to the files: what is pending, what is unfinished, what does not fit."""

from __future__ import annotations

from collections.abc import Iterator

from runner.catalog.model import ALEMBIC, is_bookkeeping
from runner.dialects import tables
from runner.doctor.patient import Patient, count_text, listed
from runner.domain.finding import Finding, Severity, ok, run_command, words
from runner.domain.state import Standing, State
from runner.errors import MaxwellError


def unfinished(patient: Patient) -> Iterator[Finding]:
    if isinstance(patient.standing, MaxwellError):
        return
    items = patient.standing.in_state(State.UNFINISHED)
    for item in items:
        message = f"{item.id} began outside a transaction and did not end (unless a run is at work on it)"
        yield Finding("unfinished", Severity.ERROR, message, run_command("maxwell-db repair"), item.id)
    if not items:
        yield ok("finished", "no migration is unfinished")


def history(patient: Patient) -> Iterator[Finding]:
    if isinstance(patient.standing, MaxwellError):
        error = patient.standing
        cure = words(error.hint) if error.hint else None
        yield Finding("migrations", Severity.ERROR, f"{error.place}{error.message}", cure)
        return
    yield from _not_fitting(patient.standing)
    yield from _place(patient, patient.standing)


_CURES = {
    State.CHANGED: ("was edited after it was applied", "maxwell-db repair --accept {id}  # if the file is right"),
    State.MISSING: ("is applied, but its file is gone", "maxwell-db apply --dry-run  # says what can be done"),
    State.OUT_OF_ORDER: ("is pending, but older than an applied one", "maxwell-db apply --allow-out-of-order"),
}


def _not_fitting(standing: Standing) -> Iterator[Finding]:
    for state, (what, cure) in _CURES.items():
        for item in standing.in_state(state):
            command = run_command(cure.format(id=item.id))
            yield Finding(str(state), Severity.ERROR, f"{item.id} {what}", command, item.id)
    cosmetic = standing.in_state(State.COSMETIC)
    if cosmetic:
        ids = [item.id for item in cosmetic]
        message = f"comments or white space were edited after the apply: {listed(ids)}"
        yield Finding("cosmetic", Severity.INFO, message, run_command("maxwell-db repair"), data={"ids": ids})


def _place(patient: Patient, standing: Standing) -> Iterator[Finding]:
    data = {"version": standing.version, "head_version": standing.head_version, "pending": len(standing.pending)}
    if not standing.applied:
        there = tables(patient.connection, patient.dialect)
        theirs = sorted(name for name in there if not (is_bookkeeping(name) or name.startswith("sqlite_")))
        if theirs:
            by_alembic = ALEMBIC in there
            yield Finding(
                "unmanaged",
                Severity.WARN,
                f"{count_text(len(theirs), 'table')} and no record of migrations: apply would begin at the first one; "
                f"{'Alembic made them' if by_alembic else listed(theirs)}",
                run_command("maxwell-db adopt" if by_alembic else "maxwell-db stamp T  # the version that they have"),
                data=data,
            )
            return
    at = f"at {standing.place}" if standing.applied else "at base, nothing is applied"
    if standing.pending:
        ids = [item.id for item in standing.pending]
        message = f"the database is {at}; {count_text(len(ids), 'migration')} pending: {listed(ids)}"
        yield Finding("pending", Severity.INFO, message, run_command("maxwell-db apply"), data=data | {"ids": ids})
    else:
        yield ok("version", f"the database is {at}, nothing is pending", **data)
