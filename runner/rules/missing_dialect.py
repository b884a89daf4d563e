"""A migration that only one of the two dialects has."""

from __future__ import annotations

from collections.abc import Iterator

from runner.rules.model import Finding, Rule, Tree

RULE = Rule(
    id="MX105",
    name="missing-dialect",
    severity="error",
    problem=("A migration is in one dialect's folder and not in the other's, so that the two schemas go apart."),
    solution=("Write it for the other dialect too; or say that it is for one alone: `-- dialects: postgres`."),
    example=("sql/postgres/20260301_0900_phase4_notes_add_table.sql   (and none in sql/sqlite/)\n"),
)


def check(tree: Tree) -> Iterator[Finding]:
    if len(tree.folders) < 2:
        return
    for dialect, migrations in tree.migrations.items():
        for other, folder in tree.folders.items():
            if other == dialect:
                continue
            there = {path.name for path in folder.glob("*.sql")}
            for migration in migrations:
                file = tree.apply(migration)
                missing = file.path.name not in there
                if missing and (not migration.dialects or other in migration.dialects):
                    yield file.finding(RULE, 0, f"{migration.id} is missing in {folder}")
                elif not missing and migration.dialects and other not in migration.dialects:
                    yield file.finding(
                        RULE,
                        max(0, file.text.find("dialects:")),
                        f"'dialects' says that {other} has no {migration.id}, but there it is",
                        "Correct the line, or remove the other file.",
                    )
