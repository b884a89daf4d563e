"""The script of a run on PostgreSQL, for the program ``psql``."""

from __future__ import annotations

from runner.backend.postgres import PostgresBackend
from runner.backend.recording import Expression, Recording, bookkeeping
from runner.dialects.postgres_indexes import concurrent_index
from runner.domain.migration import Script
from runner.domain.quoting import quote_name
from runner.ledger import LEDGER
from runner.lock import POSTGRES_KEY

#: The schema as a digest: columns, constraints, indexes, triggers, views and routines, bookkeeping left out.
STATE = r"""
SELECT coalesce(md5(string_agg(line, chr(10) ORDER BY line COLLATE "C")), '') FROM (
    SELECT concat_ws(' ', c.relkind, c.relname, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull,
                     a.attidentity, a.attgenerated, pg_get_expr(d.adbin, d.adrelid)) AS line, c.relname AS name
    FROM pg_class AS c JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
    LEFT JOIN pg_attrdef AS d ON d.adrelid = c.oid AND d.adnum = a.attnum
    WHERE c.relnamespace = quote_ident(current_schema())::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
    UNION ALL
    SELECT concat_ws(' ', c.relname, k.conname, pg_get_constraintdef(k.oid), k.convalidated), c.relname
    FROM pg_constraint AS k JOIN pg_class AS c ON c.oid = k.conrelid
    WHERE k.contype <> 'n' AND c.relnamespace = quote_ident(current_schema())::regnamespace
    UNION ALL
    SELECT concat_ws(' ', pg_get_indexdef(i.indexrelid), i.indisvalid), c.relname
    FROM pg_index AS i JOIN pg_class AS c ON c.oid = i.indrelid
    WHERE c.relnamespace = quote_ident(current_schema())::regnamespace
    UNION ALL
    SELECT concat_ws(' ', pg_get_triggerdef(t.oid), t.tgenabled), c.relname
    FROM pg_trigger AS t JOIN pg_class AS c ON c.oid = t.tgrelid
    WHERE NOT t.tgisinternal AND c.relnamespace = quote_ident(current_schema())::regnamespace
    UNION ALL
    SELECT pg_get_viewdef(c.oid), c.relname FROM pg_class AS c
    WHERE c.relkind IN ('v', 'm') AND c.relnamespace = quote_ident(current_schema())::regnamespace
    UNION ALL
    SELECT pg_get_functiondef(p.oid), '' FROM pg_proc AS p
    WHERE p.prokind IN ('f', 'p') AND p.pronamespace = quote_ident(current_schema())::regnamespace
) AS schema
WHERE name NOT LIKE '\_yoyo%' AND name NOT IN ('yoyo_lock', '_maxwell_ledger')
""".strip()

_SETUP = """
\\set ON_ERROR_STOP on
SET client_encoding = 'UTF8';
SET standard_conforming_strings = on;
""".strip()
_NAMES = r"""SELECT coalesce(string_agg(relname::text, ' ' ORDER BY relname::text COLLATE "C"), '') FROM pg_class
        WHERE relnamespace = quote_ident(current_schema())::regnamespace AND relkind IN ('r', 'p')
          AND (relname LIKE '\_yoyo\_%' OR relname LIKE 'yoyo\_lock%' OR relname = '_maxwell_ledger')"""


class PostgresRecording(Recording, PostgresBackend):
    now = Expression("timezone('utc', clock_timestamp())")
    log_id = Expression("gen_random_uuid()::text")
    user = Expression("current_user")
    duration = Expression("extract(epoch FROM clock_timestamp() - transaction_timestamp()) * 1000")

    def setup(self, state: str, search_path: str = "") -> None:
        """The session's settings, the run's lock, and the first look at the database."""
        self._search_path = search_path
        self.lines += [_SETUP, *self._path()]
        self._raise_unless(
            f"pg_try_advisory_lock({POSTGRES_KEY})", "another run holds this database", "Try again when it is over."
        )
        names = self.literal(" ".join(bookkeeping(self.present)))
        conditions = [f"({_NAMES}) = {names}", f"({STATE}) = {self.literal(state)}"]
        self._raise_unless("\n    AND ".join(conditions), *_OTHER_STATE)
        if self.migration_table in self.present:
            self.guard()

    def finish(self) -> None:
        self.lines += ["", f"DO $maxwell$ BEGIN PERFORM pg_advisory_unlock({POSTGRES_KEY}); END $maxwell$;"]

    def _raise_unless(self, condition: str, message: str, hint: str) -> None:
        """psql stops at the error, and so does whatever sends this as one text."""
        self.lines.append(
            f"DO $maxwell$\nBEGIN\n    IF ({condition}) IS NOT TRUE THEN\n"
            f"        RAISE EXCEPTION {self.literal(message)} USING HINT = {self.literal(hint)};\n"
            "    END IF;\nEND\n$maxwell$;"
        )

    def guard(self) -> None:
        marks = "(SELECT coalesce(string_agg(migration_id, ' ' ORDER BY migration_id COLLATE \"C\"), '')"
        conditions = [f"{marks} FROM _yoyo_migration) = {self.expected_marks()}", "NOT EXISTS (SELECT FROM yoyo_lock)"]
        if self._in_transaction or LEDGER in self.present:
            conditions.append(f"NOT EXISTS (SELECT FROM {LEDGER} WHERE operation = 'unfinished')")
        self._raise_unless("\n    AND ".join(conditions), *_OTHER_STATE)

    def begin(self) -> None:
        self._in_transaction = True
        self.lines += ["BEGIN;", f"{self._set_timeouts()};"]

    def run_script(self, script: Script) -> None:
        if not self._in_transaction:
            self.lines.append(f"SET statement_timeout = {self._statement_milliseconds};")
        super().run_script(script)

    def after_script(self, script: Script) -> None:
        ours = [f"{self._set_timeouts()};"] if self._in_transaction else []
        self.lines += ["RESET ALL;", "RESET SESSION AUTHORIZATION;", *_SETUP.split("\n")[1:], *self._path(), *ours]

    def _path(self) -> list[str]:
        return [f"SET search_path TO {self._search_path};"] if self._search_path else []

    def clear_the_way(self, script: Script) -> None:
        """Drop the invalid index that an earlier try left; psql asks for it when it comes to this place."""
        index = concurrent_index(script.text)
        if index is None or index.verb == "DROP":
            return
        name = ".".join(map(quote_name, index.name))
        self.lines += [
            "SELECT EXISTS (SELECT FROM pg_index WHERE NOT indisvalid"
            f" AND indexrelid = to_regclass({self.literal(name)})) AS maxwell_invalid \\gset",
            f"\\if :maxwell_invalid\nDROP INDEX CONCURRENTLY {name};\n\\endif",
        ]

    def commit(self) -> None:
        self.lines.append("COMMIT;")
        self._in_transaction = False


_OTHER_STATE = ("the database is not in the state that this plan was made for", "Make a new plan.")
