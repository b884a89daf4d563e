"""One dialect's migrations on a scratch database: each up, down and up again, over rows, with checks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack, closing, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

from runner import interruption
from runner.backend import Backend, as_yoyo
from runner.catalog import Catalog, Difference, differences, read_catalog
from runner.catalog.compare import COLUMN_ORDER
from runner.dialects import connect
from runner.domain import sql
from runner.domain.migration import Dialect, Migration
from runner.domain.outcome import Direction
from runner.domain.url import DatabaseUrl
from runner.errors import Interrupted, MaxwellError
from runner.operations.checking import ROW_LOSS, Checker, describe
from runner.operations.expected import build
from runner.rehearsal.foresight import Foresight
from runner.rehearsal.hints import json_hints
from runner.rehearsal.kept import Version, contents, there_and_back
from runner.rehearsal.model import AGAIN, DOWN, UP, Finding, RehearsalObserver, StatementReport, Status, Step
from runner.rehearsal.rows import Filler
from runner.rehearsal.sampling import LockSampler
from runner.rehearsal.statements import ALONE, observe
from runner.scratch import scratch_database
from verify.model import VerifyReport
from verify.run import list_checks


class DialectRehearsal:
    """Rehearses one dialect; what it finds grows in ``steps``, ``statements`` and ``catalogs`` (after each one)."""

    def __init__(
        self,
        dialect: Dialect,
        migrations: Sequence[Migration],
        checks: tuple[Path, ...],
        rows: int,
        scratch: str | None,
        observer: RehearsalObserver,
    ) -> None:
        self.steps: list[Step] = []
        self.statements: list[StatementReport] = []
        self.catalogs: dict[str, Catalog] = {}
        self.server = ""
        self.rows: Mapping[str, int] = {}
        self._dialect: Dialect = dialect
        self._migrations = [item.migration for item in as_yoyo(sorted(migrations, key=lambda one: one.id))]
        texts = [script.text for one in migrations for script in (one.apply, one.rollback) if script is not None]
        self._json = json_hints(texts, dialect)
        self._checks, self._wanted, self._scratch = checks, rows, scratch
        self._observer = observer
        self._stack = ExitStack()
        self._connection: Any = None
        self._ahead: dict[str, Catalog] = {}
        self._url: DatabaseUrl
        self._backend: Backend
        self._filler: Filler
        self._told: set[str] = set()  # the tables of which it was said that they could not be filled

    def run(self) -> None:
        """All migrations in order. After one that cannot be applied the rest is skipped."""
        try:
            self._ahead = self._look_ahead()
            self._open([])
            for place, migration in enumerate(self._migrations):
                if not self._rehearse(migration, self._migrations[: place + 1]):
                    reason = f"{migration.id} could not be applied"
                    for later in self._migrations[place + 1 :]:
                        for name in (UP, DOWN, AGAIN):
                            self._skip(later, name, reason)
                    return
            self.rows = self._counts()
        finally:
            self._stack.close()

    def _open(self, applied: Sequence[Migration]) -> None:
        """A new scratch database, instead of the one there was, with these migrations and rows."""
        self._stack.close()
        self._stack = ExitStack()
        url = self._url = self._stack.enter_context(scratch_database(self._dialect, scratch=self._scratch))
        self._connection = self._stack.enter_context(closing(connect(url, what="rehearse")))
        self._stack.enter_context(interruption.watched(self._connection))
        self._backend = build(url, self._connection, applied)
        self.server = self._version()
        checks = list_checks(self._connection, self._dialect, self._checks)
        self._filler = Filler(self._connection, self._dialect, checks, self._wanted, self._json)
        if applied:
            self._fill(read_catalog(self._connection, self._dialect), applied[-1], None)

    def _rehearse(self, migration: Migration, so_far: Sequence[Migration]) -> bool:
        """Up, down and up again. False: it could not even be applied."""
        before = self._version_now()
        findings: list[Finding] = []
        milliseconds = self._go(migration, Direction.APPLY, findings)
        if milliseconds is None:
            self._step(migration, UP, 0.0, findings)
            self._skip(migration, DOWN, "it could not be applied")
            self._skip(migration, AGAIN, "it could not be applied")
            return False
        above = self._version_now()
        self.catalogs[migration.id] = above.catalog
        findings += self._fill(above.catalog, migration, before.catalog if migration.reversible else None)
        self._step(migration, UP, milliseconds, findings)
        if not migration.reversible:
            reason = f"irreversible: {migration.irreversible}"
            self._skip(migration, DOWN, reason)
            self._skip(migration, AGAIN, reason)
        elif not self._down(migration, before, above):
            self._skip(migration, AGAIN, "the rollback did not lead back")
            self._open(so_far)
        elif not self._up_again(migration, above):
            self._open(so_far)
        return True

    def _down(self, migration: Migration, before: Version, above: Version) -> bool:
        """Does the rollback lead back to where it was?"""
        findings: list[Finding] = []
        full = Version(above.catalog, contents(self._connection, above.catalog))
        milliseconds = self._go(migration, Direction.ROLLBACK, findings)
        led_back = milliseconds is not None
        if led_back:
            back = self._version_now()
            schema = self._differing("schema-after-down", "after the rollback", before.catalog, back.catalog)
            findings += schema
            findings += there_and_back(before, above, full, back, migration.expect_row_loss)
            led_back = not any(finding.severity == "error" for finding in schema)
        self._step(migration, DOWN, milliseconds or 0.0, findings)
        return led_back

    def _up_again(self, migration: Migration, above: Version) -> bool:
        """Does it come to the same a second time?"""
        findings: list[Finding] = []
        milliseconds = self._go(migration, Direction.APPLY, findings, look=False)
        if milliseconds is not None:
            now = read_catalog(self._connection, self._dialect)
            findings += self._differing("schema-after-second-up", "after the second time", above.catalog, now)
            self._fill(now, migration, None)
        self._step(migration, AGAIN, milliseconds or 0.0, findings)
        return not any(finding.severity == "error" for finding in findings)

    def _go(
        self, migration: Migration, direction: Direction, findings: list[Finding], *, look: bool = True
    ) -> float | None:
        """Run one migration, and the checks before and after; how long it took, or None and a finding."""
        interruption.check()
        (known,) = as_yoyo([migration])
        script = known.script(direction)
        if look and self._dialect == "postgres":
            self.statements += observe(
                self._connection, migration.id, direction, script, transactional=migration.transactional
            )
        checker = Checker(self._connection, self._dialect, self._checks)
        sampler = self._sampler() if look and not migration.transactional else None
        try:
            with sampler or nullcontext():
                milliseconds = self._backend.run(known, direction, lambda: None).duration_ms
        except Interrupted:
            raise
        except MaxwellError as error:
            interruption.check()
            findings.append(
                Finding("statement-failed", "error", error.message, error.file, error.line, error.statement)
            )
            return None
        if sampler is not None:
            (statement,) = sql.postgres_statements(script.text)
            line = sql.line_of(script.text, statement.start)
            self.statements.append(
                StatementReport(
                    migration.id,
                    direction,
                    script.path,
                    line,
                    statement.text,
                    milliseconds,
                    sampler.locks,
                    note=ALONE,
                )
            )
        _, new = checker.check(direction, migration.expect_row_loss, in_transaction=False)
        broken = _of_the_migration(new, checker.before)
        if broken.failed("error"):
            code = "rows-lost" if all(one.name == ROW_LOSS for one in broken.failed("error")) else "violations"
            findings.append(Finding(code, "error", describe(broken), script.path))
        return milliseconds

    def _sampler(self) -> LockSampler | None:
        if self._dialect == "sqlite":
            return None
        return LockSampler(self._url, self._connection.info.backend_pid)

    def _differing(self, code: str, when: str, expected: Catalog, found: Catalog) -> list[Finding]:
        result = differences(expected, found)
        order = [one for one in result if self._dialect == "postgres" and one.kind == COLUMN_ORDER]
        rest = [one for one in result if one not in order]
        findings = []
        if rest:
            findings.append(_finding(code, "error", f"{when} the schema is not what it was", rest))
        if order:
            findings.append(_finding("column-order", "warn", f"{when} columns stand in another order", order))
        return findings

    def _foresight(self, migration: Migration, before: Catalog | None) -> Foresight:
        """The versions after a migration, and the one before it."""
        later = [catalog for id, catalog in self._ahead.items() if id > migration.id]
        return Foresight(before, later)

    def _look_ahead(self) -> dict[str, Catalog]:
        """The schema after each migration, made without rows, up to the first that cannot be applied."""
        catalogs: dict[str, Catalog] = {}
        with (
            scratch_database(self._dialect, scratch=self._scratch) as url,
            closing(connect(url, what="rehearse")) as connection,
            interruption.watched(connection),
        ):
            backend = build(url, connection, [])
            for known in as_yoyo(self._migrations):
                try:
                    backend.run(known, Direction.APPLY, lambda: None)
                except Interrupted:
                    raise
                except MaxwellError:
                    interruption.check()
                    break  # its own step tells of it
                catalogs[known.id] = read_catalog(connection, self._dialect)
        return catalogs

    def _fill(self, catalog: Catalog, migration: Migration, before: Catalog | None) -> list[Finding]:
        findings = []
        for one in self._filler.fill(catalog, self._foresight(migration, before)):
            if one.table not in self._told:
                self._told.add(one.table)
                findings.append(Finding("not-filled", "warn", f"no row could be made for {one.table}: {one.reason}"))
        return findings

    def _version_now(self) -> Version:
        catalog = read_catalog(self._connection, self._dialect)
        return Version(catalog, contents(self._connection, catalog))

    def _counts(self) -> dict[str, int]:
        return {name: len(table.rows) for name, table in self._version_now().rows.items()}

    def _version(self) -> str:
        with closing(self._connection.cursor()) as cursor:
            cursor.execute("SELECT sqlite_version()" if self._dialect == "sqlite" else "SHOW server_version")
            name = "SQLite" if self._dialect == "sqlite" else "PostgreSQL"
            return f"{name} {str(cursor.fetchone()[0]).split()[0]}"

    def _step(self, migration: Migration, name: str, milliseconds: float, findings: list[Finding]) -> None:
        failed = any(finding.severity == "error" for finding in findings)
        status: Status = "failed" if failed else "passed"
        self._over(Step(self._dialect, migration.id, name, status, milliseconds, tuple(findings)))

    def _skip(self, migration: Migration, name: str, reason: str) -> None:
        self._over(Step(self._dialect, migration.id, name, "skipped", reason=reason))

    def _over(self, step: Step) -> None:
        self.steps.append(step)
        self._observer.stepped(step)


def _finding(code: str, severity: Any, message: str, found: list[Difference]) -> Finding:
    names = ", ".join(f"{one.object} ({one.problem})" for one in found)
    return Finding(code, severity, f"{message}: {names}", differences=tuple(found))


def _of_the_migration(new: VerifyReport, before: VerifyReport) -> VerifyReport:
    """Without what a check says that could not run before: it speaks of generated rows, which know no meaning."""
    ran = {result.name for result in before.checks if result.status != "skipped"}
    kept = [one for one in new.checks if one.kind != "check" or one.name in ran or one.name == ROW_LOSS]
    return replace(new, checks=tuple(kept))
