"""``doctor``'s probes: each looks at one thing, read-only, and tells what it finds, with its cure."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from runner.doctor import (
    backups,
    clock,
    disk,
    foreign_keys,
    locks,
    objects,
    pg_dump,
    privileges,
    sessions,
    settings,
    standing,
    tables,
    vacuum,
    versions,
)
from runner.doctor.patient import Patient
from runner.domain.finding import Finding


@dataclass(frozen=True)
class Probe:
    """One look at one thing. What it cannot read it leaves to raise: the others go on."""

    name: str
    look: Callable[[Patient], Iterable[Finding]]


#: In the order in which their findings are told.
PROBES = (
    Probe("versions", versions.look),
    Probe("pg-dump", pg_dump.look),
    Probe("disk", disk.look),
    Probe("backups", backups.look),
    Probe("privileges", privileges.look),
    Probe("settings", settings.look),
    Probe("lock", locks.look),
    Probe("unfinished", standing.unfinished),
    Probe("history", standing.history),
    Probe("sessions", sessions.look),
    Probe("clock", clock.look),
    Probe("objects", objects.look),
    Probe("vacuum", vacuum.look),
    Probe("tables", tables.look),
    Probe("foreign-keys", foreign_keys.look),
)
