"""What ``doctor`` finds: one fact a finding, with its cure."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Literal


class Severity(StrEnum):
    """From the lightest to the gravest. Only an error makes a deploy fail, and doctor's exit code 1."""

    OK = "ok"
    INFO = "info"  # worth knowing; nothing needs to be done
    WARN = "warn"  # harms sooner or later
    ERROR = "error"  # apply, backup or deploy would fail


@dataclass(frozen=True)
class Cure:
    """What to do: SQL or a command to paste, or words."""

    text: str
    kind: Literal["sql", "command", "words"]


def run_sql(text: str) -> Cure:
    return Cure(text, "sql")


def run_command(text: str) -> Cure:
    return Cure(text, "command")


def words(text: str) -> Cure:
    return Cure(text, "words")


@dataclass(frozen=True)
class Finding:
    """One fact. The id is stable; ``subject`` is the table, index or file that it is about, if it is about one.

    ``data`` is the fact in figures, of JSON's own types.
    """

    id: str
    severity: Severity
    message: str
    cure: Cure | None = None
    subject: str | None = None
    data: Mapping[str, Any] = field(default_factory=dict)


def ok(id: str, message: str, **data: Any) -> Finding:
    """A finding with which all is well."""
    return Finding(id, Severity.OK, message, data=data)


@dataclass(frozen=True)
class DoctorReport:
    """All findings in the order of the probes, and the probes that ran."""

    probes: tuple[str, ...]
    findings: tuple[Finding, ...]

    def of(self, *severities: Severity) -> tuple[Finding, ...]:
        return tuple(finding for finding in self.findings if finding.severity in severities)

    def named(self, ids: Collection[str]) -> tuple[Finding, ...]:
        return tuple(finding for finding in self.findings if finding.id in ids)

    @property
    def errors(self) -> tuple[Finding, ...]:
        """What would make a deploy fail."""
        return self.of(Severity.ERROR)
