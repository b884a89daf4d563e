"""Every value of the source looked at and added up: by this process, or by one beside it."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field
from hashlib import sha256

from runner.errors import MisfitFound
from runner.transfer import stream
from runner.transfer.ahead import ahead
from runner.transfer.checksum import Sums
from runner.transfer.findings import Findings
from runner.transfer.model import Map, Progress, TableSum
from runner.transfer.preflight import Scan
from runner.transfer.source import Plan, Source


@dataclass(frozen=True)
class Seen:
    """By table its sums; and the digests of those that are proven as a stream, None where that cannot be told."""

    sums: dict[str, TableSum] = field(default_factory=dict)
    digests: dict[str, str | None] = field(default_factory=dict)


def look(source: Source, plans: Sequence[Plan], findings: Findings, progress: Progress) -> Seen:
    """Read all tables. MisfitFound at the first chunk that does not fit; of what fits nowhere else the target tells."""
    seen = Seen()
    scan = Scan(source, Map(), findings, progress)
    for plan in plans:
        if stream.is_streamed(plan):
            seen.sums[plan.name], seen.digests[plan.name] = _look_at_stream(source, plan, findings, scan, progress)
        else:
            seen.sums[plan.name] = scan.read(plan, judge=True, add_up=True)
        refuse(findings)
    return seen


def _look_at_stream(
    source: Source, plan: Plan, findings: Findings, scan: Scan, progress: Progress
) -> tuple[TableSum, str | None]:
    sums = Sums([column for column, _ in plan.columns])
    digest = sha256()
    told = True
    with closing(ahead(stream.source_rows(source, plan))) as chunks:  # type: ignore[type-var]
        for after, last, rows, odd, texts in chunks:
            try:
                texts = stream.with_doubles(source, plan, after, last, texts)
                sums.add_rows(*stream.split(plan, texts, rows))
                digest.update(stream.as_copied(texts))
            except stream.Damaged:
                scan.judge(plan, after, last, everything=True)
                told = False
            else:
                if odd:
                    scan.judge(plan, after, last, everything=False)
            refuse(findings)
            progress.advance(rows)
    return sums.result(), digest.hexdigest() if told else None


def refuse(findings: Findings) -> None:
    """MisfitFound, if anything of them is not settled."""
    if findings.unsettled:
        sorts = sum(one.action is None for one in findings.all())
        raise MisfitFound(
            f"the data do not fit the target: {findings.unsettled} findings of {sorts} sorts; nothing was written",
            code="DATA_MISFIT",
            hint="Correct the source; or settle each sort on purpose, in a file given as --map.",
        )
