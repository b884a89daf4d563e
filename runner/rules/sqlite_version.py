"""What the oldest supported SQLite does not know."""

from __future__ import annotations

from collections.abc import Iterator

from runner.rules.model import Finding, Rule, Statement, Tree

RULE = Rule(
    id="MX701",
    name="sqlite-version",
    severity="error",
    problem=(
        "A statement for SQLite uses what came after 3.35, the oldest version that will do, or what "
        "SQLite does not have at all. It would work on the machine of whoever wrote it, and fail on "
        "another."
    ),
    solution=("Write it with what SQLite 3.35 has."),
    example=("CREATE TABLE notes (id INTEGER NOT NULL PRIMARY KEY) STRICT;\n"),
)


#: Functions by the version that brought them.
_FUNCTIONS = {
    "3.38": "UNIXEPOCH FORMAT",
    "3.41": "UNHEX",
    "3.42": "JSON_ERROR_POSITION",
    "3.43": "TIMEDIFF OCTET_LENGTH",
    "3.44": "CONCAT CONCAT_WS STRING_AGG",
    "3.45": "JSONB JSONB_ARRAY JSONB_EXTRACT JSONB_GROUP_ARRAY JSONB_GROUP_OBJECT JSONB_INSERT JSONB_OBJECT"
    " JSONB_PATCH JSONB_REMOVE JSONB_REPLACE JSONB_SET",
    "3.46": "JSON_PRETTY",
    "3.48": "IF",
    "3.50": "UNISTR UNISTR_QUOTE",
    "3.51": "MEDIAN PERCENTILE PERCENTILE_CONT PERCENTILE_DISC",
}
_SINCE = {name: version for version, names in _FUNCTIONS.items() for name in names.split()}
#: After one of these a name before a parenthesis is a table's or an index's.
_NAMES = {".", "INTO", "TABLE", "ON", "INDEX", "REFERENCES", "EXISTS"}


def check(tree: Tree) -> Iterator[Finding]:
    for file in tree.chosen:
        if file.dialect == "sqlite":
            for statement in file.statements:
                for position, what in (*_unknown(statement), *_alter(statement)):
                    yield file.finding(RULE, statement.offset(position), what)


def _unknown(statement: Statement) -> Iterator[tuple[int, str]]:
    """What SQLite 3.35 does not know, and at which token it stands."""
    words, tokens = statement.words, statement.tokens
    table = statement.starts("CREATE", "TABLE") or statement.starts("CREATE", "TEMP", "TABLE")
    for position, word in enumerate(words):
        before, following = words[position - 1] if position else "", words[position + 1 : position + 4]
        if tokens[position].kind == "operator" and word in ("->", "->>"):
            yield position, f"the operator {word} came with SQLite 3.38"
        elif tokens[position].kind != "word":
            continue
        elif word in _SINCE and following[:1] == ["("] and before not in _NAMES:
            yield position, f"the function {word.lower()}() came with SQLite {_SINCE[word]}"
        elif word in ("RIGHT", "FULL") and (following[:1] == ["JOIN"] or following[:2] == ["OUTER", "JOIN"]):
            yield position, f"{word} JOIN came with SQLite 3.39"
        elif word == "IS" and (following[:2] == ["DISTINCT", "FROM"] or following == ["NOT", "DISTINCT", "FROM"]):
            yield position, "IS DISTINCT FROM came with SQLite 3.39; IS NOT and IS say the same"
        elif table and word == "STRICT" and before in (")", ","):
            yield position, "STRICT tables came with SQLite 3.37"


def _alter(statement: Statement) -> Iterator[tuple[int, str]]:
    """What ALTER TABLE cannot do."""
    words = statement.words
    if words[:1] != ["ALTER"]:
        return
    if words[1:2] != ["TABLE"]:
        yield 0, "SQLite alters nothing but tables"
    elif words[2:4] == ["IF", "EXISTS"]:
        yield 2, "SQLite has no ALTER TABLE IF EXISTS"
    elif comma := _comma(words):
        yield comma, "SQLite takes one change in each ALTER TABLE"
    else:
        action = 5 if words[3:4] == ["."] else 3
        verb, *rest = words[action : action + 4] or [""]
        if rest[:1] == ["COLUMN"]:
            rest = rest[1:]
        if verb in ("ADD", "DROP") and rest[:1] == ["CONSTRAINT"]:
            yield action, f"SQLite has no ALTER TABLE ... {verb} CONSTRAINT: rebuild the table"
        elif verb == "ADD" and rest[:1] and rest[0] in ("PRIMARY", "UNIQUE", "FOREIGN", "CHECK"):
            yield action, f"SQLite has no ALTER TABLE ... ADD {rest[0]}: rebuild the table"
        elif verb == "ALTER":
            yield action, "SQLite has no ALTER TABLE ... ALTER COLUMN: rebuild the table"
        elif verb in ("ADD", "DROP") and rest[:1] == ["IF"]:
            yield action, f"SQLite has no IF in ALTER TABLE ... {verb} COLUMN"


def _comma(words: list[str]) -> int:
    """Where a comma stands in no parentheses; 0: nowhere."""
    depth = 0
    for position, word in enumerate(words):
        depth += (word == "(") - (word == ")")
        if word == "," and depth == 0:
            return position
    return 0
