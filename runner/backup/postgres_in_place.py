"""Restore a dump into the live database itself, in one transaction, where no other database may be made.

What the dump's own role can drop and make is replaced. pg_restore unpacks; its SQL is run here, on the one connection
that also drops what was there, so that it is all of it or nothing. No program that takes commands (psql) reads it.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import NamedTemporaryFile, TemporaryFile
from typing import IO, Any

from runner import interruption
from runner.dialects.postgres_programs import Program, without_secrets
from runner.errors import BackupFailed

_END_OF_COPY = b"\\.\n"

#: Every object outside the system's schemas that no extension owns, as the command that drops it; those that depend
#: on others go with them, so each is dropped only if it is still there.
_DROPS = """
    SELECT format('DROP %s IF EXISTS %I.%I CASCADE',
                  CASE c.relkind WHEN 'v' THEN 'VIEW' WHEN 'm' THEN 'MATERIALIZED VIEW' WHEN 'S' THEN 'SEQUENCE'
                                 WHEN 'f' THEN 'FOREIGN TABLE' WHEN 'c' THEN 'TYPE' ELSE 'TABLE' END,
                  n.nspname, c.relname), 1 AS turn
    FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p', 'v', 'm', 'S', 'f', 'c') AND {own}
      AND NOT EXISTS (SELECT 1 FROM pg_depend AS d
                      WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype IN ('e', 'i'))
    UNION ALL
    SELECT format('DROP %s IF EXISTS %I.%I(%s) CASCADE',
                  CASE c.prokind WHEN 'a' THEN 'AGGREGATE' WHEN 'p' THEN 'PROCEDURE' ELSE 'FUNCTION' END,
                  n.nspname, c.proname, pg_get_function_identity_arguments(c.oid)), 2
    FROM pg_proc AS c JOIN pg_namespace AS n ON n.oid = c.pronamespace
    WHERE {own}
      AND NOT EXISTS (SELECT 1 FROM pg_depend AS d
                      WHERE d.classid = 'pg_proc'::regclass AND d.objid = c.oid AND d.deptype IN ('e', 'i'))
    UNION ALL
    SELECT format('DROP TYPE IF EXISTS %I.%I CASCADE', n.nspname, c.typname), 3
    FROM pg_type AS c JOIN pg_namespace AS n ON n.oid = c.typnamespace
    WHERE c.typtype IN ('e', 'd', 'r') AND {own}
      AND NOT EXISTS (SELECT 1 FROM pg_depend AS d
                      WHERE d.classid = 'pg_type'::regclass AND d.objid = c.oid AND d.deptype IN ('e', 'i'))
    ORDER BY 2, 1
""".replace("{own}", "n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'")


def restore_in_place(connection: Any, pg_restore: Program, file: Path, check: Callable[[Any], None]) -> None:
    """Replace what the database holds, ``check`` what came of it, and commit. Whatever fails leaves it as it was."""
    with closing(connection.cursor()) as cursor, _contents(connection, pg_restore, file) as contents:
        cursor.execute("SELECT current_setting('search_path')")
        search_path = cursor.fetchone()
        cursor.execute("BEGIN")
        try:
            cursor.execute(_DROPS)
            for statement, _ in cursor.fetchall():
                interruption.check()
                cursor.execute(statement)
            cursor.execute("SELECT lo_unlink(oid) FROM pg_largeobject_metadata")
            for section in ("pre-data", "data", "post-data"):
                with _unpacked(pg_restore, file, f"--section={section}", f"--use-list={contents}") as sql:
                    for text, rows in _statements(sql) if section == "data" else _whole(sql):
                        interruption.check()
                        if rows is None:
                            cursor.execute(text.decode())
                        else:
                            cursor.copy_expert(text.decode(), rows)
            # The dump sets things for the session: an empty search_path among them.
            cursor.execute("RESET ALL; SELECT set_config('search_path', %s, false)", search_path)
            check(connection)
            cursor.execute("COMMIT")
        finally:
            if not connection.closed:
                cursor.execute("ROLLBACK")


@contextmanager
def _contents(connection: Any, pg_restore: Program, file: Path) -> Iterator[str]:
    """A list of what to restore: all but the schemas and extensions that are there and stay."""
    with closing(connection.cursor()) as cursor:
        cursor.execute("SELECT nspname::text FROM pg_namespace UNION ALL SELECT extname::text FROM pg_extension")
        there = {name for (name,) in cursor.fetchall()}
    done = subprocess.run(
        [str(pg_restore.path), "--list", str(file)], capture_output=True, text=True, env=without_secrets(), check=False
    )
    if done.returncode != 0:
        raise BackupFailed(
            f"{pg_restore.path}: {done.stderr.strip()}", code="PG_PROGRAM_FAILED", hint="The database is as it was."
        )
    with NamedTemporaryFile("w", prefix="maxwell-db-", suffix=".list") as kept:
        for line in done.stdout.splitlines():
            # "216; 1259 16390 TABLE public author maren": number; catalog and object, kind, schema, name, owner.
            words = line.partition("; ")[2].split()
            about = words[2:5] in (["COMMENT", "-", "SCHEMA"], ["COMMENT", "-", "EXTENSION"], ["ACL", "-", "SCHEMA"])
            stays = words[2:4] in (["SCHEMA", "-"], ["EXTENSION", "-"]) and words[4] in there
            if not about and not stays:
                kept.write(f"{line}\n")
        kept.flush()
        yield kept.name


@contextmanager
def _unpacked(pg_restore: Program, file: Path, *options: str) -> Iterator[IO[bytes]]:
    with TemporaryFile() as words:
        process = subprocess.Popen(
            [str(pg_restore.path), "--file=-", *options, str(file)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            env=without_secrets(),
            stderr=words,
            start_new_session=True,
        )
        assert process.stdout is not None
        try:
            yield process.stdout
            process.stdout.read()
            if process.wait() != 0:
                words.seek(0)
                raise BackupFailed(
                    f"{pg_restore.path}: {words.read().decode(errors='replace').strip()}",
                    code="PG_PROGRAM_FAILED",
                    hint="The database is as it was.",
                )
        finally:
            process.kill()
            process.stdout.close()
            process.wait()


def _whole(stream: IO[bytes]) -> Iterator[tuple[bytes, None]]:
    """A section without rows, which the server takes as it is, but for what is psql's before and after it."""
    lines = stream.read().splitlines(keepends=True)
    meant_for_psql = (b"\\restrict ", b"\\unrestrict ")
    first = next((n for n, line in enumerate(lines) if line.startswith(meant_for_psql[0])), None)
    last = next((n for n in reversed(range(len(lines))) if lines[n].startswith(meant_for_psql[1])), None)
    kept = b"".join(line for n, line in enumerate(lines) if n not in (first, last))
    if any(line.strip() and not line.startswith(b"--") for line in kept.splitlines()):  # an empty query is refused
        yield kept, None


def _statements(stream: IO[bytes]) -> Iterator[tuple[bytes, _Rows | None]]:
    """The statements of the data section, a COPY with its rows: ``COPY ... FROM stdin;``, lines, ``\\.``.

    A name may hold anything, line breaks and what looks like a statement too, so quotes are followed.
    """
    lines: list[bytes] = []
    quote = b""  # the one that is open
    for line in stream:
        if not quote and (not line.strip() or line.startswith((b"--", b"\\restrict ", b"\\unrestrict "))):
            continue  # comments, and what psql is told against hostile dumps; no psql here
        lines.append(line)
        quote = _open_quote(line, quote)
        if quote or not line.endswith(b";\n"):
            continue
        statement = b"".join(lines)
        lines = []
        if statement.startswith(b"COPY ") and statement.endswith(b" FROM stdin;\n"):
            rows = _Rows(stream)
            yield statement, rows
            rows.read_to_end()
        elif statement not in (b"BEGIN;\n", b"COMMIT;\n"):  # around large objects; the transaction is ours
            yield statement, None


def _open_quote(line: bytes, quote: bytes) -> bytes:
    """The quote that is open after a line; a doubled one closes and opens again."""
    for match in re.finditer(rb"['\"]", line):
        if not quote:
            quote = match[0]
        elif match[0] == quote:
            quote = b""
    return quote


class _Rows:
    """The rows of one COPY, as a file that ends before the line ``\\.``."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._rest = b""
        self._ended = False

    def read(self, size: int = -1) -> bytes:
        """About ``size`` bytes, whole lines mostly; none at the end."""
        interruption.check()
        gathered, length = [self._rest], len(self._rest)
        self._rest = b""
        while not self._ended and (size < 0 or length < size):
            line = self._stream.readline()
            if not line or line == _END_OF_COPY:
                self._ended = True
                break
            gathered.append(line)
            length += len(line)
        data = b"".join(gathered)
        if size >= 0:
            data, self._rest = data[:size], data[size:]
        return data

    def read_to_end(self) -> None:
        while self.read(1 << 16):
            pass
