"""Rows are taken away on purpose, or not at all."""

from __future__ import annotations

from collections.abc import Iterator

from runner.rules.model import File, Finding, Rule, Statement, Tree

RULE = Rule(
    id="MX501",
    name="destructive-statement",
    severity="error",
    problem=(
        "An apply file drops, empties or deletes from a table whose rows nobody has said may go. After "
        "such a migration no rollback brings them back."
    ),
    solution=("Say so in the header: `-- expect-row-loss: TABLE`. The check for vanished rows then lets it pass, too."),
    example=("DROP TABLE notes;\n"),
)


def check(tree: Tree) -> Iterator[Finding]:
    for file in tree.chosen:
        if not file.is_apply:
            continue
        made: set[str] = set()  # in this file, so that nobody's rows are in it
        for position, statement in enumerate(file.statements):
            for effect in statement.effects:
                if effect.verb == "create" and effect.kind == "table":
                    made.add(effect.name)
                elif effect.verb == "rename" and effect.kind == "table" and effect.name in made:
                    made.add(effect.to)
            for offset, table in _losses(statement):
                expected = {name.lower() for name in file.migration.expect_row_loss}
                if table in made or table.lower() in expected:
                    continue
                dropped = statement.starts("DROP")
                if dropped and _is_rebuilt(table, file, position):
                    continue
                verb = "drops" if dropped else "empties" if statement.starts("TRUNCATE") else "deletes rows of"
                yield file.finding(RULE, offset, f"{verb} {table}, and the header does not expect that")


def _losses(statement: Statement) -> Iterator[tuple[int, str]]:
    """The tables out of which a statement takes rows, and where it names them."""
    if statement.starts("DROP"):
        for effect in statement.effects:
            if effect.kind == "table":
                yield effect.start, effect.name
    elif statement.starts("DELETE", "FROM"):
        position = 3 if statement.words[2:3] == ["ONLY"] else 2
        yield statement.offset(position), _name(statement, position)
    elif statement.starts("TRUNCATE"):
        position = 2 if statement.words[1:2] == ["TABLE"] else 1
        while position < len(statement.words):
            if statement.words[position] == "ONLY":
                position += 1
            yield statement.offset(position), _name(statement, position)
            if statement.words[position + 1 : position + 2] != [","]:
                break
            position += 2


def _name(statement: Statement, position: int) -> str:
    if position >= len(statement.tokens):
        return ""
    token = statement.tokens[position]
    text = token.text.strip('"`[]') if token.kind == "name" else token.text.lower()
    return text.removeprefix("public.").removeprefix("main.")


def _is_rebuilt(table: str, file: File, position: int) -> bool:
    """Was the table copied into another one before, that gets its name after?"""
    rest = [effect for statement in file.statements[position:] for effect in statement.effects]
    heir = next((effect.name for effect in rest if effect.verb == "rename" and effect.to == table), None)
    return heir is not None and any(
        statement.starts("INSERT")
        and _name(statement, 2) == heir
        and any(_name(statement, at + 1) == table for at, word in enumerate(statement.words) if word == "FROM")
        for statement in file.statements[:position]
    )
