"""The clock of this machine, by which marks get their times: beside the server's, and beside the newest mark."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime

from runner.dialects import tables
from runner.doctor.patient import Patient
from runner.domain.finding import Finding, Severity, ok, run_command
from runner.ledger import utc_text

SECONDS = 2.0  # of difference that nobody needs to care for
_CURE = run_command("timedatectl set-ntp true")


def look(patient: Patient) -> Iterator[Finding]:
    if patient.dialect == "postgres":
        before = time.time()
        server = float(patient.value("SELECT extract(epoch FROM clock_timestamp())::float8"))
        yield judge_server_clock(before, server, time.time())
    newest = _newest_mark(patient)
    if newest is None:
        return
    now = datetime.now(UTC)
    ahead = (newest - now).total_seconds()
    if ahead > SECONDS:
        message = (
            f"the newest mark is of {newest:%Y-%m-%d %H:%M:%S} UTC, and this machine's clock says "
            f"{now:%Y-%m-%d %H:%M:%S}: one of the two clocks was wrong, and the history will be out of order"
        )
        yield Finding("clock-behind-marks", Severity.WARN, message, _CURE, data={"seconds": round(ahead, 1)})
    elif patient.dialect == "sqlite":
        yield ok("clock", f"this machine's clock says {now:%Y-%m-%d %H:%M:%S} UTC, later than the newest mark")


def judge_server_clock(before: float, server: float, after: float) -> Finding:
    """The server answered at some moment between ``before`` and ``after``: only what lies outside is a difference."""
    difference = server - min(max(server, before), after)
    data = {"seconds": round(difference, 3)}
    if abs(difference) <= SECONDS:
        return ok("clock", "this machine's clock and the server's agree", **data)
    side = "behind" if difference > 0 else "ahead of"
    message = f"this machine's clock is {abs(difference):.0f} s {side} the server's"
    return Finding("server-clock", Severity.WARN, message, _CURE, data=data)


def _newest_mark(patient: Patient) -> datetime | None:
    if "_yoyo_migration" not in tables(patient.connection, patient.dialect):
        return None
    value = patient.value("SELECT max(applied_at_utc) FROM _yoyo_migration")
    return None if value is None else datetime.fromisoformat(utc_text(value))
