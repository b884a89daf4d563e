"""What a check hands over, row by row, kept small however much it is."""

from __future__ import annotations

from array import array
from collections import Counter

from verify.model import Check, CheckResult, Violation


class Found:
    """Takes violations as they come: counts them, keeps the first few whole and a fingerprint of each."""

    def __init__(self, name: str, sample: int, before: CheckResult | None) -> None:
        self._name = name
        self._limit = sample
        self._old = Counter(before.fingerprints) if before else Counter[int]()
        self._fresh: list[Violation] = []
        self._known: list[Violation] = []
        self._fingerprints = array("Q")

    def take(self, table: str, key: str, detail: str) -> None:
        violation = Violation(table, key, detail)
        fingerprint = violation.fingerprint(self._name)
        self._fingerprints.append(fingerprint)
        if self._old[fingerprint] > 0:
            self._old[fingerprint] -= 1
            kept = self._known
        else:
            kept = self._fresh
        if len(kept) < self._limit:
            kept.append(violation)

    @property
    def any(self) -> bool:
        return bool(self._fingerprints)

    def result(self, check: Check, duration_ms: float) -> CheckResult:
        return CheckResult(
            check.name,
            check.kind,
            check.severity,
            "failed" if self._fingerprints else "passed",
            len(self._fingerprints),
            tuple((self._fresh + self._known)[: self._limit]),
            duration_ms,
            fingerprints=self._fingerprints,
        )
