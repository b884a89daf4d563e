"""Bytes that two databases, or two machines, would take differently."""

from __future__ import annotations

from runner.rules.model import Rule

RULE = Rule(
    id="MX102",
    name="file-encoding",
    severity="error",
    problem=(
        "A file is not UTF-8, or has a byte order mark, a carriage return or a NUL byte: databases and "
        "machines take such bytes differently."
    ),
    solution=("Save it as UTF-8 without a byte order mark and with line feeds alone (in git: `*.sql text eol=lf`)."),
    example=("-- Add notes.\\r\nCREATE TABLE notes (id INTEGER NOT NULL PRIMARY KEY);\\r\n"),
)
CODES = frozenset({"BAD_ENCODING"})
