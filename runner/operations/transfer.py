"""Copy a SQLite database into PostgreSQL: all of it, proven, or nothing."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from runner.domain.options import RunOptions
from runner.domain.outcome import Direction, Observer, Outcome
from runner.domain.state import MigrationStatus, Standing
from runner.errors import DifferenceFound, MaxwellError, MisfitFound, TransferFailed, UsageError, ViolationsFound
from runner.lock import sqlite_lock
from runner.operations.checking import describe
from runner.operations.history_guard import refuse_broken_history, refuse_unfinished
from runner.operations.project import Project
from runner.operations.run import Runner
from runner.transfer import proof, rebuild
from runner.transfer.copying import copy
from runner.transfer.failing import server_refused
from runner.transfer.findings import Findings, Lost, written_down
from runner.transfer.freeze import freeze, thaw
from runner.transfer.helper import Helper, Looking, helping
from runner.transfer.looking import refuse
from runner.transfer.model import Progress, TableSum
from runner.transfer.outcome import Both, Clock, TransferOptions, TransferReport
from runner.transfer.preflight import pair, preflight
from runner.transfer.record import recorded_map, write_record
from runner.transfer.relations import look_at_relations, orphan_names
from runner.transfer.source import Plan, Source, snapshot
from runner.transfer.stream import is_streamed
from runner.transfer.target import TargetTable, read_target, validates_text
from runner.transfer.versions import missing, refuse_unpaired, shared
from verify.model import VerifyReport
from verify.run import verify


def transfer(
    source: Project, target: Project, options: TransferOptions, observer: Observer, progress: Progress
) -> TransferReport:
    """Copy every row of the source's tables into the target's, which are empty, in one transaction of each.

    MisfitFound: what does not fit, and nothing is written. DifferenceFound, ViolationsFound: rolled back, because the
    two differ, or because of what the checks found. HistoryError: not the same version. With ``freeze_source`` nobody
    writes to the source from the snapshot on.
    """
    refuse_unpaired(source.migrations, target.migrations)
    run = _Transfer(source, target, options, observer, progress)
    with (
        source.connection(read_only=not options.freeze_source, what="transfer") as reading,
        helping(reading, source.url, wanted=not (options.dry_run or options.mapping)) as helper,
        sqlite_lock(_path(source), "transfer", options.lock_wait, observer.waiting),
        target.connection(what="transfer") as connection,
        run.on(connection),
        written_down(options.mapping, wanted=not options.dry_run) as lost,
        snapshot(
            reading,
            to_freeze=options.freeze_source and not options.dry_run,
            url=source.url,
            follow=helper.begin if helper else None,
        ) as rows,
    ):
        report = run.copy(rows, lost, helper if rows.is_followed else None)
        if options.freeze_source and not options.dry_run:
            _commit_freezing(reading, report)
        lost.keep()
        return report


def compare(
    source: Project, target: Project, options: TransferOptions, observer: Observer, progress: Progress
) -> TransferReport:
    """Compare source and target as they are now, each in a snapshot; nothing is written, unless the source is to be
    frozen, which it is only when both are the same. Without a map, that of the last transfer counts.

    MisfitFound, DifferenceFound, HistoryError, ViolationsFound.
    """
    refuse_unpaired(source.migrations, target.migrations)
    with (
        source.connection(read_only=not options.freeze_source, what="transfer") as reading,
        target.connection(read_only=True, what="transfer") as connection,
    ):
        # Read-only is the session's; this one reads all of it at one moment.
        _execute(connection, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        if not options.mapping:
            options = replace(options, mapping=recorded_map(connection))
        run = _Transfer(source, target, options, observer, progress)
        with run.translated(connection), snapshot(reading, to_freeze=options.freeze_source) as rows:
            report = run.compare(rows, connection)
            if options.freeze_source:
                with rows.plain_text():
                    count = freeze(reading, str(target.url), _now_text())
                _commit_freezing(reading, report)
                report = replace(report, frozen=count, changed=True)
            return report


def unfreeze(source: Project, options: RunOptions, observer: Observer) -> TransferReport:
    """Let the source be written to again."""
    with (
        source.connection(what="transfer") as connection,
        sqlite_lock(_path(source), "transfer", options.lock_wait, observer.waiting),
    ):
        connection.execute("BEGIN IMMEDIATE")
        count = thaw(connection)
        connection.execute("COMMIT")
        return TransferReport(thawed=count, changed=bool(count))


class _Transfer:
    """One transfer; ``report`` grows, so that what stops it can say how far it came."""

    def __init__(
        self, source: Project, target: Project, options: TransferOptions, observer: Observer, progress: Progress
    ) -> None:
        self._source = source
        self._target = target
        self._options = options
        # What a trial applies is rolled back, and nothing to tell of.
        self._observer = Observer() if options.dry_run else observer
        self._progress = Clock(progress)
        self._backend: Any = None
        self._tables: Sequence[TargetTable] = ()
        self._uncommitted: list[Outcome] = []  # of the migrations that are part of the transaction
        self._looked = False  # at every value, so that the report has all that does not fit
        self.report = TransferReport(dry_run=options.dry_run)

    @contextmanager
    def on(self, connection: Any) -> Iterator[None]:
        """Hold the target's lock on ``connection``, and translate what the server says."""
        from runner.backend import open_backend

        self._backend = open_backend(self._target.url, connection)
        self._backend.configure(self._options, self._observer)
        with self._backend.run_lock("transfer"), self.translated(connection):
            yield

    @contextmanager
    def translated(self, connection: Any) -> Iterator[None]:
        try:
            yield
        except connection.Error as error:
            in_doubt = self._backend is not None and self._backend.in_doubt
            raise self._carrying(server_refused(error, connection, in_doubt=in_doubt)) from error
        except MaxwellError as error:
            self._carrying(error)
            raise

    def _carrying(self, error: MaxwellError) -> MaxwellError:
        error.transfer = replace(self.report, seconds=self._progress.stop())  # type: ignore[attr-defined]
        return error

    def copy(self, source: Source, lost: Lost, helper: Helper | None) -> TransferReport:
        started = datetime.now(UTC).replace(tzinfo=None)
        backend, connection, options = self._backend, self._backend.connection, self._options
        standing, there = self._standings(source, connection)
        pending = missing(standing, there, options.migrate)
        names = {table.name.lower() for table in source.catalog().tables}
        known = self._migrate_alone(connection, pending, names)
        frozen = None
        with self._all_findings(source, connection), backend.transaction(rollback_on_exit=options.dry_run):
            backend.prepare()
            backend.enter()
            self._tables = self._empty_tables(connection, pending, names, known)
            if options.dry_run:
                self._preflight(source, lost)
            else:
                before = self._verify(connection)  # what is wrong with empty tables is not the data's fault
                if options.mapping or not validates_text(connection):
                    self._copy_settled(source, connection, lost, before)
                else:
                    self._copy_as_it_is(source, connection, helper, before)
                newest = shared(standing)[-1]
                write_record(
                    connection,
                    source=str(self._source.url),
                    version=standing.version,
                    migration_id=newest.id,
                    started=started,
                    sums=self.report.tables,
                    findings=self.report.findings,
                    mapping=options.mapping,
                    verified=self.report.verify is not None,
                )
                lost.flush()
                if options.freeze_source:
                    with source.plain_text():
                        frozen = freeze(source.connection, str(self._target.url), _now_text())
            backend.leave()
        self._progress.over()
        for outcome in self._uncommitted:
            self._observer.finished(Direction.APPLY, outcome)  # now they are
        return replace(
            self.report,
            changed=not options.dry_run,
            frozen=frozen,
            lost=str(options.mapping.lost) if lost.lines else None,
            seconds=self._progress.stop(),
        )

    def _copy_settled(self, source: Source, connection: Any, lost: Lost, before: VerifyReport | None) -> None:
        """One thing after the other: what a map changes has to be known before the first row goes."""
        plans, sums = self._preflight(source, lost)
        self._load(
            source, connection, plans, {name: one.rows for name, one in sums.items()}, self._progress, lambda: None
        )
        self._prove(source, connection, plans, sums)
        self._check(self._verify(connection, before), before)

    def _copy_as_it_is(
        self, source: Source, connection: Any, helper: Helper | None, before: VerifyReport | None
    ) -> None:
        """Look at every value, beside the copy if there is a helper; what arrived is compared before the commit.

        What PostgreSQL refuses or changes, and what is found otherwise, ends it, and ``_all_findings`` tells of all.
        """
        findings = Findings(self._options.sample, Lost(None))
        plans = pair(source, self._tables, self._options.mapping, findings)
        refuse(findings)
        counts = {plan.name: source.rows_at_most(plan.source) for plan in plans}
        looking = Looking(source, plans, findings, helper, self._progress, sum(counts.values()))
        away = self._load(source, connection, plans, counts, Both(self._progress, looking.check), looking.copied)
        if not away.all_keys:
            look_at_relations(source, plans, self._options.mapping, findings)
            refuse(findings)
        proven = orphan_names(plans) if away.all_keys else ()
        verified = self._verify(connection, before, proven)
        rebuild.in_order(connection)
        arrived = proof.read_streams(connection, [plan for plan in plans if is_streamed(plan)], self._progress)
        seen = looking.wait()
        self.report = replace(self.report, tables=dict(seen.sums))
        if any(digest != seen.digests[name] for name, digest in arrived.items()):
            # Another order of the rows, a value that does not fit, or an error of the copy: the long way tells which.
            self._prove(source, connection, *self._preflight(source, Lost(None)))
        else:
            self._prove(source, connection, [plan for plan in plans if plan.name not in arrived], seen.sums)
        self._check(verified, before)

    @contextmanager
    def _all_findings(self, source: Source, connection: Any) -> Iterator[None]:
        """Where the data are refused within it, by whomever, look at all of them, and raise what does not fit."""
        try:
            yield
        except (connection.DataError, connection.IntegrityError, MisfitFound):
            if self._tables and not self._looked:
                self._preflight(source, Lost(None))
            raise

    def compare(self, source: Source, connection: Any) -> TransferReport:
        standing, there = self._standings(source, connection)
        missing(standing, there, migrate=False)
        rebuild.settings(connection)
        self._tables = read_target(connection)
        self._prove(source, connection, *self._preflight(source, Lost(None)))
        self._check(self._verify(connection), None)
        return replace(self.report, compared=True, seconds=self._progress.stop())

    def _standings(self, source: Source, connection: Any) -> tuple[Standing, Standing]:
        with source.plain_text():
            standing = self._source.standing(source.connection)
        there = self._target.standing(connection)
        for each in (standing, there):
            refuse_unfinished(each)
            refuse_broken_history(each)
        self.report = replace(self.report, version=standing.version)
        return standing, there

    def _migrate_alone(
        self, connection: Any, pending: Sequence[MigrationStatus], names: set[str]
    ) -> frozenset[str] | None:
        """What cannot run in a transaction is applied before, with all that is pending, each in its own.

        The tables that were there before, if that was done; None if it was not.
        """
        alone = [item.id for item in pending if item.migration and not item.migration.transactional]
        if not alone:
            return None
        if self._options.dry_run:
            raise UsageError(
                f"{alone[0]} runs outside a transaction, so that the target cannot be migrated on trial",
                code="NOT_TRANSACTIONAL",
                hint="Migrate the target first, with 'maxwell-db apply'; then look again.",
            )
        there = read_target(connection)
        _refuse_rows(connection, there, names)
        self._backend.prepare()
        for outcome in self._run_migrations(pending):
            self._observer.finished(Direction.APPLY, outcome)
        return frozenset(table.name for table in there)

    def _run_migrations(self, pending: Sequence[MigrationStatus]) -> list[Outcome]:
        from runner.backend import as_yoyo

        runner = Runner(self._target, self._backend, self._options, self._observer)
        files = runner.in_order([item.migration for item in pending if item.migration], Direction.APPLY)
        outcomes = []
        for number, migration in enumerate(as_yoyo(files), 1):
            self._observer.started(Direction.APPLY, migration.id, number, len(files))
            outcomes.append(self._backend.run(migration, Direction.APPLY, lambda: None))
            self.report = replace(self.report, migrated=(*self.report.migrated, outcomes[-1].id))
        return outcomes

    def _empty_tables(
        self, connection: Any, pending: Sequence[MigrationStatus], names: set[str], known: frozenset[str] | None
    ) -> tuple[TargetTable, ...]:
        """The target's tables, migrated and locked. Those that were there before have no rows.

        What its own migrations inserted comes again with the source. ``known``: the tables before they ran already.
        """
        there = read_target(connection)
        old = [table for table in there if known is None or table.name in known]
        rebuild.lock_tables(connection, old, self._options.lock_wait)
        _refuse_rows(connection, old, names)
        if known is None:
            self._uncommitted = self._run_migrations(pending)
        rebuild.settings(connection)
        tables = read_target(connection)
        rebuild.lock_tables(connection, tables, self._options.lock_wait)
        return tables

    def _preflight(self, source: Source, lost: Lost) -> tuple[list[Plan], dict[str, TableSum]]:
        self._looked = True
        findings = Findings(self._options.sample, lost)
        plans, sums = preflight(source, self._tables, self._options.mapping, findings, self._progress)
        self.report = replace(self.report, findings=findings.all(), tables=sums if not findings.unsettled else {})
        refuse(findings)
        return plans, sums

    def _load(
        self,
        source: Source,
        connection: Any,
        plans: Sequence[Plan],
        counts: dict[str, int],
        progress: Progress,
        copied: Callable[[], None],
    ) -> rebuild.Away:
        """Copy the rows, and call ``copied``; then build keys, indexes and statistics over them."""
        before = rebuild.read_definitions(connection)
        away = rebuild.take_away(connection, self._tables)
        filled = [plan.target for plan in plans]  # what only the target has, is left alone
        rebuild.empty(connection, filled)
        copy(source, connection, plans, counts, progress)
        copied()
        rebuild.put_back(connection, away, progress)
        rebuild.set_sequences(connection, source, plans)
        after = rebuild.read_definitions(connection)
        if before != after:
            changed = sorted(set(before) ^ set(after))[0]
            raise TransferFailed(
                f"the target's {changed[0]} {changed[2]} of {changed[1]} could not be put back as it was",
                code="CATALOG_CHANGED",
                hint="Everything is rolled back. Please report it, with the definition of that table.",
            )
        rebuild.analyze(connection, filled, progress)
        return away

    def _prove(self, source: Source, connection: Any, plans: Sequence[Plan], sums: dict[str, TableSum]) -> None:
        """By sums, which do not depend on the order of the rows."""
        if not plans:
            return
        there = proof.read_back(connection, plans, self._progress, sum(sums[plan.name].rows for plan in plans))
        here = proof.read_doubles(source, plans, sums)
        self.report = replace(self.report, tables=here)
        differences = proof.compare({plan.name: here[plan.name] for plan in plans}, there)
        if not differences:
            return
        tables = {one.table for one in differences}
        for plan in plans:
            if plan.name in tables:
                differences += proof.locate(source, connection, plan, self._options.sample)
        self.report = replace(self.report, differences=tuple(differences))
        raise DifferenceFound(
            f"source and target differ in {', '.join(sorted(tables))}: {differences[-1]}",
            code="NOT_PROVEN",
            hint="See the differences by table, column and key."
            if self._backend is None
            else "Everything is rolled back; the target is as it was.",
        )

    def _verify(
        self, connection: Any, before: VerifyReport | None = None, proven: Collection[str] = ()
    ) -> VerifyReport | None:
        if not self._options.verify:
            return None
        if before is not None:
            self._progress.stage("verifying", None)
        return verify(
            connection, "postgres", checks_dirs=self._target.checks, snapshot=False, before=before, proven=proven
        )

    def _check(self, report: VerifyReport | None, before: VerifyReport | None) -> None:
        if report is None:
            return
        self.report = replace(self.report, verify=report)
        new = report if before is None else report.new_since(before)
        if new.failed("error"):
            error = ViolationsFound(
                f"the checks find the data broken: {describe(new)}",
                code="VIOLATIONS_FOUND",
                hint="Mend the source ('maxwell-db verify' shows it all), or leave the checks out: --no-verify.",
            )
            error.report = report
            raise error


def _commit_freezing(reading: Any, report: TransferReport) -> None:
    """TransferFailed where the source cannot be frozen by now (somebody reads it for too long): the target is whole."""
    try:
        reading.execute("COMMIT")
    except reading.Error as error:
        failure = TransferFailed(
            f"the target is whole and committed, but the source could not be frozen: {error}",
            code="NOT_FROZEN",
            hint="Compare again, and freeze: transfer --verify-only --freeze-source, with the same databases.",
        )
        failure.transfer = replace(report, frozen=None)  # type: ignore[attr-defined]
        raise failure from error


def _refuse_rows(connection: Any, tables: Sequence[TargetTable], names: set[str]) -> None:
    """UsageError for a table of the target that has rows, if the source has such a table too."""
    filled = rebuild.first_row_of(connection, [table for table in tables if table.name.lower() in names])
    if filled is not None:
        raise UsageError(
            f"the target is not empty: {filled} has rows",
            code="TARGET_NOT_EMPTY",
            hint="Name an empty database; transfer migrates it by itself. Nothing was changed.",
        )


def _path(project: Project) -> Any:
    assert project.url.path is not None
    return project.url.path


def _now_text() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _execute(connection: Any, sql: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(sql)
