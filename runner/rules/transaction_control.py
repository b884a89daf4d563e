"""What would end, split or leave the transaction that a migration runs in."""

from __future__ import annotations

from runner.rules.model import Rule

RULE = Rule(
    id="MX303",
    name="transaction-control",
    severity="error",
    problem=(
        "A file begins or ends a transaction, reaches into another database, holds what is psql's and not "
        "SQL; or runs outside a transaction and has several statements, so that it could be left half "
        "done."
    ),
    solution=(
        "Remove the statement. One that cannot run in a transaction stands alone in its file, under `-- "
        "transactional: false`."
    ),
    example=("BEGIN;\nCREATE TABLE notes (id INTEGER NOT NULL PRIMARY KEY);\nCOMMIT;\n"),
)
CODES = frozenset({"NOT_ONE_STATEMENT", "FORBIDDEN_STATEMENT"})
