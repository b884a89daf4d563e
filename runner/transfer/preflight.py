"""Before anything is written: every value that the target cannot hold as it is meant, and the sums of those it can."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from typing import Any

from runner.domain.quoting import quote_name
from runner.transfer.ahead import ahead
from runner.transfer.checksum import Sums
from runner.transfer.expressions import canonical, fits_in_chunk
from runner.transfer.findings import Findings
from runner.transfer.judging import TEXTS
from runner.transfer.model import Map, Progress, TableSum, Value
from runner.transfer.relations import look_at_relations
from runner.transfer.settling import settle
from runner.transfer.source import Plan, Source
from runner.transfer.target import TargetTable


def preflight(
    source: Source, tables: Sequence[TargetTable], mapping: Map, findings: Findings, progress: Progress
) -> tuple[list[Plan], dict[str, TableSum]]:
    """Look at every value of the source, note in ``findings`` what does not fit, and sum up what goes.

    The sums are those of the values as the map has them; they mean nothing while a finding is unsettled.
    """
    plans = pair(source, tables, mapping, findings)
    total = sum(source.count(plan.source) for plan in plans)
    progress.stage("looking at every value", total)
    scan = Scan(source, mapping, findings, progress)
    if not mapping:
        # One reading for both.
        sums = {plan.name: scan.read(plan, judge=True, add_up=True) for plan in plans}
        look_at_relations(source, plans, mapping, findings)
        return plans, sums
    for plan in plans:
        scan.read(plan, judge=True, add_up=False)
    look_at_relations(source, plans, mapping, findings)
    if findings.unsettled:
        return plans, {}
    progress.stage("summing up what goes", total)
    return plans, {plan.name: scan.read(plan, judge=False, add_up=True) for plan in plans}


def pair(source: Source, tables: Sequence[TargetTable], mapping: Map, findings: Findings) -> list[Plan]:
    """Each table of the target with its own of the source; what only one side has is a finding.

    Names are the same but for upper and lower case, which SQLite does not tell apart.
    """
    catalog = source.catalog()
    wanted = {table.name: table for table in tables}
    plans = []
    for table in catalog.tables:
        name = _same(table.name, wanted)
        if name is None:
            rows = source.count(table)
            action = mapping.action("extra-table", table.name, "")
            findings.add("extra-table", table.name, "", f"{rows} rows", None, action=action)
            continue
        target = wanted[name]
        columns = {column.name: column for column in target.columns if not column.generated}
        ignored = {column.name for column in target.columns if column.generated}
        names: dict[str, str] = {}
        for column in table.columns:
            found = _same(column, columns)
            if found is not None:
                names[found] = column
            elif _same(column, ignored) is None:
                action = mapping.action("extra-column", table.name, column)
                filled = source.rows(f"SELECT count({quote_name(column)}) FROM {table.sql}")[0][0]
                findings.add("extra-column", table.name, column, f"{filled} values", None, action=action)
        for column in columns.keys() - names.keys():
            action = mapping.action("missing-column", target.name, column)
            findings.add("missing-column", target.name, column, "", None, action=action)
        plans.append(source.plan(target, table, names, mapping))
    for virtual in source.virtual_tables():
        action = mapping.action("extra-table", virtual, "")
        findings.add("extra-table", virtual, "", "a virtual table", None, action=action)
    return plans


def _same(name: str, names: Any) -> str | None:
    if name in names:
        return name
    folded = [each for each in names if each.lower() == name.lower()]
    return folded[0] if len(folded) == 1 else None


class Scan:
    """Reads whole tables, judges their values, and adds them up."""

    def __init__(self, source: Source, mapping: Map, findings: Findings, progress: Progress) -> None:
        self._source = source
        self._mapping = mapping
        self._findings = findings
        self._progress = progress

    def read(self, plan: Plan, *, judge: bool, add_up: bool) -> TableSum:
        sums = Sums([column for column, _ in plan.columns])
        if not plan.columns:
            return sums.result()
        reader = self._grouped if plan.source.address else self._streamed
        for columns in reader(plan, judge):
            self._progress.advance(len(columns[0]))
            if add_up and not self._findings.unsettled:
                sums.add(columns)
        return sums.result()

    def _grouped(self, plan: Plan, judge: bool) -> Iterator[list[list[bytes]]]:
        values = plan.raw if judge else plan.values
        inner = [canonical(column, values[column.name]) for column, _ in plan.columns]
        outer = [f"group_concat(v{number}, char(0))" for number in range(len(inner))]
        texts = [number for number, (column, _) in enumerate(plan.columns) if column.type in TEXTS]
        if judge:
            inner += [
                plan.suspicious_in_chunk,
                *(f"{plan.raw[plan.columns[number][0].name]} IS NULL" for number in texts),
            ]
            outer += [f"sum(v{number})" for number in range(len(plan.columns), len(inner))]
        outer.append("count(*)")
        chunks = self._source.chunks(plan, inner, outer, all_rows=judge)
        # A function of Python's own would have to wait for this thread, for each value.
        alone = (plan.calls_python and not judge) or any("maxwell_" in expression for expression in inner)
        for after, last, answers in chunks if alone else ahead(chunks):
            blobs: list[bytes] = list(answers[: len(plan.columns)])
            rows = answers[-1]
            if judge:
                suspicious, *nulls = answers[len(plan.columns) : -1]
                count = dict(zip(texts, nulls, strict=True))
                damaged = not all(
                    fits_in_chunk(column, blob, rows, count.get(number, 0))
                    for number, ((column, _), blob) in enumerate(zip(plan.columns, blobs, strict=True))
                )
                if suspicious or damaged:
                    self.judge(plan, after, last, everything=damaged)
                if damaged and self._findings.unsettled:
                    blobs = [b"\0" * (rows - 1)] * len(blobs)  # there is nothing to be summed up any more
            yield [blob.split(b"\0") for blob in blobs]

    def _streamed(self, plan: Plan, judge: bool) -> Iterator[list[list[bytes]]]:
        if judge:
            self.judge(plan, None, None, everything=True)
        values = plan.raw if judge else plan.values
        if judge and self._findings.unsettled:
            return
        expressions = [f"CAST({canonical(column, values[column.name])} AS TEXT)" for column, _ in plan.columns]
        for rows in self._source.stream(plan, expressions, all_rows=judge):
            yield [list(column) for column in zip(*rows, strict=True)]

    def judge(self, plan: Plan, after: Value, last: Value, *, everything: bool) -> None:
        """Look at the suspicious rows beyond ``after`` up to ``last``, value by value."""
        table, address = plan.source, plan.source.address
        conditions = ["1" if everything else f"({plan.suspicious})"]
        parameters: list[Value] = []
        if after is not None:
            conditions.append(f"t.{address} > ?")
            parameters.append(after)
        if last is not None:
            conditions.append(f"t.{address} <= ?")
            parameters.append(last)
        raw = ", ".join(plan.raw[column.name] for column, _ in plan.columns)
        sql = (
            f"SELECT {plan.place()}, {table.row_key('t')}, {raw} FROM {table.sql} AS t WHERE {' AND '.join(conditions)}"
        )
        with self._source.one_at_a_time, closing(self._source.connection.cursor()) as cursor:
            cursor.arraysize = 10
            for place, key, *values in cursor.execute(sql, parameters):
                self._judge_row(plan, place, bytes(key).decode("utf-8", "replace"), values)

    def _judge_row(self, plan: Plan, place: Value, key: str, values: list[Value]) -> None:
        set_aside = False
        for (column, _), value in zip(plan.columns, values, strict=True):
            _, steps, fits = settle(column, plan.name, value, self._mapping)
            for kind, action in steps if fits else steps[-1:]:
                self._findings.add(kind, plan.name, column.name, key, value, action=action if fits else None)
                set_aside |= action == "quarantine"
        if set_aside and place not in plan.excluded:
            plan.excluded.add(bytes(place) if isinstance(place, bytes) else place)
            self._findings.set_aside(plan.name, key, plan.row(values))
