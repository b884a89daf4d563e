"""A backend that writes down what it would execute: the very statements of the real one, as a script for a shell.

Nothing is executed. Everything that differs from run to run (times, log ids, who) becomes an expression that the
database computes when the script runs.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from yoyo.migrations import default_migration_table, get_migration_hash

from runner import ledger
from runner.backend.common import Backend
from runner.backend.steps import SqlMigration, as_yoyo
from runner.domain.migration import Migration, Script
from runner.domain.options import RunOptions
from runner.domain.outcome import Direction, Observer
from runner.domain.sql import tokens
from runner.domain.url import DatabaseUrl
from runner.errors import UsageError

#: What ledger and log have for the host of a run that nobody knows yet.
WHERE = "plan"

_PLACEHOLDER = re.compile(r":([a-z_]\w*)")


class Expression(str):
    """SQL that stands for a value, instead of a literal."""


class _NoRows:
    """The answer of a database that is not there."""

    rowcount = 1

    def fetchone(self) -> None:
        return None

    def fetchall(self) -> list[Any]:
        return []


class _NoConnection:
    def commit(self) -> None:
        """yoyo commits by the connection what it has committed already."""


class Recording(Backend):
    """What the recorders of both dialects have in common. ``lines`` is the script so far."""

    now: Expression
    log_id: Expression
    user: Any
    duration: Any

    def __init__(
        self,
        url: DatabaseUrl,
        options: RunOptions,
        present: Collection[str],
        applied: Sequence[str],
        *,
        old_ledger: bool,
    ) -> None:
        """Begin a script for a database that has the tables ``present``, and these migrations applied.

        ``old_ledger`` if the ledger among them was made by an earlier version.
        """
        self.url, self.migration_table = url, default_migration_table
        self.configure(options, Observer())
        self.lines: list[str] = []
        self.present, self.applied = frozenset(present), list(applied)
        self._old_ledger = old_ledger
        self.DatabaseError = self.driver.DatabaseError
        self._connection = _NoConnection()

    def in_order(self, migrations: Sequence[Migration], direction: Direction) -> list[SqlMigration]:
        """In yoyo's order."""
        known = as_yoyo(sorted(migrations, key=lambda migration: migration.id))
        return list(self.to_apply(known) if direction is Direction.APPLY else self.to_rollback(known))

    def prepare(self) -> None:
        missing = {self.migration_table, self.version_table} - self.present
        if len(missing) == 1:
            raise UsageError(
                f"yoyo's tables are not whole: {next(iter(missing))} is not there",
                code="OLD_BOOKKEEPING",
                hint="They are of a very old yoyo, or somebody dropped one: 'yoyo list' brings old ones up to date.",
            )
        if len(missing) == 2:
            self.comment("The tables that keep the record of migrations.")
        super().prepare()

    def run_one(self, migration: SqlMigration, direction: Direction) -> None:
        """Write down one migration, with its transaction and its records."""
        self.comment(f"{direction} {migration.id}")
        # The base's own: what the dialects add needs a database to look at, or to try again.
        Backend.run(self, migration, direction)
        if direction is Direction.APPLY:
            self.applied.append(migration.id)
        else:
            self.applied.remove(migration.id)

    def comment(self, text: str) -> None:
        self.lines += ["", f"-- {' '.join(text.splitlines())}"]  # an id from the database may have several lines

    # What yoyo and the base ask.

    def list_tables(self, **kwargs: Any) -> list[str]:
        return sorted(self.present)

    def has_old_ledger(self) -> bool:
        return self._old_ledger

    def get_applied_migration_hashes(self) -> list[str]:
        return [get_migration_hash(id) for id in self.applied]

    def execute(self, sql: str, params: Mapping[str, Any] | None = None) -> Any:
        """Write a statement down; a question has no rows for an answer, and is not asked."""
        if not sql.lstrip().upper().startswith("SELECT"):
            values = params or {}
            text = _PLACEHOLDER.sub(lambda match: self.literal(values[match[1]]), sql) if values else sql
            self.lines.append(f"{_trim(text)};")
        return _NoRows()

    def literal(self, value: Any) -> str:
        """A value as SQL: times are those of the moment at which the script runs."""
        if isinstance(value, Expression):
            return str(value)
        if value is None:
            return "NULL"
        if isinstance(value, datetime):
            return str(self.now)
        if isinstance(value, int | float):
            return repr(value)
        doubled = str(value).replace("'", "''")
        return f"'{doubled}'"

    @contextmanager
    def disable_transactions(self) -> Iterator[None]:
        yield

    def commit(self) -> None:
        self.lines.append("COMMIT;")
        self._in_transaction = False

    @contextmanager
    def bundled(self) -> Iterator[None]:
        yield

    def head_start(self, script: Script) -> None:
        """Nothing runs."""

    def enter(self) -> None:
        if not self._in_transaction:
            self.begin()
        self.guard()
        self.execute(
            f"INSERT INTO {self.lock_table_quoted} (locked, ctime, pid) VALUES (1, :when, 0)", {"when": datetime.min}
        )

    def leave(self) -> None:
        self.execute(f"DELETE FROM {self.lock_table_quoted} WHERE pid = 0")

    def run_script(self, script: Script) -> None:
        # As it is. A file that does not end its last statement has it ended, so that the next one is another.
        last = [token for token in tokens(script.text, self.dialect) if token.kind != "comment"][-1]
        self.lines += [script.text.rstrip(), *([] if last.kind == "end" else [";"])]

    def get_log_data(self, migration: Any = None, operation: str = "apply") -> dict[str, Any]:
        data = super().get_log_data(migration, operation)
        newest = f"(SELECT id FROM _yoyo_log WHERE migration_id = {self.literal(data['migration_id'])}"
        self._log_id = Expression(f"{newest} ORDER BY {self.newest_first} LIMIT 1)")
        return data | {"id": self.log_id, "username": self.user, "hostname": WHERE}

    newest_first = "created_at_utc DESC"

    def record(self, migration: SqlMigration, direction: Direction, milliseconds: float, passed: bool | None) -> None:
        # Of what ran outside a transaction nobody knows here how long it took.
        duration: Any = self.duration if migration.migration.transactional else None
        super().record(migration, direction, duration, passed)

    def ledger_row(
        self, migration: Migration, operation: str, milliseconds: float | None, passed: bool | None
    ) -> dict[str, Any]:
        row = super().ledger_row(migration, operation, milliseconds, passed)
        # The files of whoever runs the script are others than those that were read here.
        kept = {column: value for column, value in row.items() if column not in ledger.ADDED_COLUMNS}
        return kept | {"username": self.user, "hostname": WHERE}

    def guard(self) -> None:
        """Stop the script unless the database stands where this part of it begins."""
        raise NotImplementedError

    def expected_marks(self) -> str:
        """The marks that have to be there, as ``marks_sql`` puts them."""
        return self.literal(" ".join(sorted(self.applied)))


def _trim(text: str) -> str:
    """Without the indentation that a statement has in the source that it comes from."""
    lines = text.strip("\n").split("\n")
    rest = [len(line) - len(line.lstrip()) for line in lines[1:] if line.strip()]
    cut = min(rest, default=0) if not lines[0].startswith(" ") else len(lines[0]) - len(lines[0].lstrip())
    return "\n".join([lines[0].lstrip(), *(line[cut:] for line in lines[1:])]).strip()


def bookkeeping(present: Collection[str]) -> list[str]:
    """Of these tables, those that keep the record of migrations."""
    return sorted(name for name in present if name.startswith(("_yoyo_", "yoyo_lock")) or name == ledger.LEDGER)
