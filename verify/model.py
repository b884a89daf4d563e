"""What a check is and what it found: frozen values that open nothing."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from hashlib import blake2b
from pathlib import Path
from typing import Any, Literal

Kind = Literal["orphan", "key", "integrity", "check"]
Severity = Literal["error", "warn"]
Status = Literal["passed", "failed", "skipped"]

SEVERITIES: tuple[Severity, ...] = ("warn", "error")  # from the lightest to the gravest


@dataclass(frozen=True)
class Check:
    """One question to the data: a SELECT whose every row (table_name, row_key, detail) is a violation."""

    name: str
    kind: Kind
    severity: Severity
    sql: str
    requires: tuple[str, ...] = ()  # "table" or "table.column"; skipped while one is not there
    summary: str = ""
    path: Path | None = None  # the file it was read from; None: generated from the catalog
    line: int = 1  # the line of that file on which ``sql`` begins
    skip: str | None = None  # why it is not run unless it is asked for by name


@dataclass(frozen=True)
class Violation:
    """One broken row: its table, its key as text, and what is wrong with it."""

    table: str
    key: str
    detail: str

    def fingerprint(self, check: str) -> int:
        """64 bits that tell this violation of ``check`` from every other one."""
        text = "\x1f".join((check, self.table, self.key, self.detail))
        digest = blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest()
        return int.from_bytes(digest, "big")


def _no_fingerprints() -> array[int]:
    return array("Q")


@dataclass(frozen=True)
class CheckResult:
    """What one check found: how many violations, the first few of them, and a fingerprint of each."""

    name: str
    kind: Kind
    severity: Severity
    status: Status
    violations: int = 0
    sample: tuple[Violation, ...] = ()
    duration_ms: float = 0.0
    reason: str | None = None  # why it was not run
    # Eight bytes for each violation: enough to tell old from new without keeping a million rows.
    fingerprints: array[int] = field(default_factory=_no_fingerprints, repr=False)

    def as_dict(self) -> dict[str, Any]:
        """The JSON form; ``reason`` is there only when the check was not run."""
        answer: dict[str, Any] = {
            "name": self.name,
            "kind": self.kind,
            "severity": self.severity,
            "status": self.status,
            "violations": self.violations,
            "sample": [{"table": one.table, "key": one.key, "detail": one.detail} for one in self.sample],
            "duration_ms": round(self.duration_ms, 3),
        }
        if self.reason is not None:
            answer["reason"] = self.reason
        return answer

    def new_since(self, before: CheckResult | None) -> CheckResult:
        """The same result with only the violations that ``before`` did not have; without any, it passed."""
        if self.status != "failed" or before is None or not before.fingerprints:
            return self
        # A multiset: of two violations that look alike, one may be old and one new.
        fresh = Counter(self.fingerprints) - Counter(before.fingerprints)
        return replace(
            self,
            status="failed" if fresh else "passed",
            violations=fresh.total(),
            sample=tuple(one for one in self.sample if one.fingerprint(self.name) in fresh),
            fingerprints=array("Q", fresh.elements()),
        )


@dataclass(frozen=True)
class VerifyReport:
    """The results of all checks, and how many rows each user table holds."""

    checks: tuple[CheckResult, ...]
    counts: Mapping[str, int]
    #: The checks that a budget left out, or cut off; None: there was no budget, so there are none.
    not_run: int | None = None
    all_counted: bool = True  # else the time was over before ``counts`` had every table

    def as_dict(self) -> dict[str, Any]:
        """``{"checks": [...], "counts": {...}}``, ready for JSON; with a budget ``complete`` and ``not_run`` too."""
        answer: dict[str, Any] = {"checks": [result.as_dict() for result in self.checks], "counts": dict(self.counts)}
        if self.not_run is not None:
            answer |= {"complete": not self.not_run, "not_run": self.not_run}
        return answer

    def failed(self, severity: Severity = "error") -> tuple[CheckResult, ...]:
        """The results with violations, of this severity or a graver one."""
        wanted = SEVERITIES[SEVERITIES.index(severity) :]
        return tuple(one for one in self.checks if one.status == "failed" and one.severity in wanted)

    def new_since(self, before: VerifyReport) -> VerifyReport:
        """The violations that ``before`` did not have: by check, table, key and detail, all of them, not the sample.

        Counts stay. The samples hold only new violations, and may be shorter than the number of new ones unless
        ``verify(..., before=before)`` made this report: that one prefers new violations for its samples.
        """
        earlier = {result.name: result for result in before.checks}
        return replace(self, checks=tuple(result.new_since(earlier.get(result.name)) for result in self.checks))
