"""The comment header of a migration: a sentence saying why, then ``-- key: value`` lines.

yoyo reads ``depends`` and ``transactional`` and ignores the rest; all of it is ours. What is not understood is an
error, because a directive that is silently lost means a wrong order, or an index built inside a transaction.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from runner.domain.migration import VERSION, Dialect, Script
from runner.domain.sql import line_of, tokens
from runner.sources.refusal import Refuse, refusal, stop

KEYS = ("depends", "transactional", "version", "revision", "irreversible", "dialects", "expect-row-loss", "lint-ignore")
#: These are for a reviewer alone: they may stand before any statement, in a rollback file too, and say several things.
_REMARKS = ("lint-ignore",)

# What yoyo's reader takes for a directive, we do too: white space before the dashes, none after the colon. Of another
# key, white space after the colon tells it from a URL.
_DIRECTIVE = re.compile(rf"\s*--\s*(?:({'|'.join(KEYS)})\s*:\s*(.*)|([A-Za-z][\w-]*)\s*:(?:\s.*)?)$")
_BLANK_OR_COMMENT = re.compile(r"\s*(?:--.*)?$")
_KNOWN_ANYWHERE = re.compile(rf"--\s*(?:{'|'.join(key for key in KEYS if key not in _REMARKS)})\s*:", re.IGNORECASE)
_REVISION = re.compile(r"[A-Za-z0-9][\w.-]*")


@dataclass(frozen=True)
class Header:
    """The directives of one apply file."""

    depends: tuple[str, ...]
    transactional: bool
    version: str | None
    revision: str | None
    irreversible: str | None
    expect_row_loss: frozenset[str]
    dialects: frozenset[str]  # those that the line names; empty: all


def read_header(script: Script, dialect: Dialect, refuse: Refuse = stop) -> Header:
    """The header of an apply file. FolderError names file and line of what is unknown, misplaced or malformed.

    What ``refuse`` lets pass is left out.
    """
    values: dict[str, tuple[str, int]] = {}
    offset = 0
    for number, line in enumerate(_lines(script.text), 1):
        if not _BLANK_OR_COMMENT.match(line):
            break
        offset += len(line) + 1
        match = _DIRECTIVE.match(line)
        if not match:
            continue
        key, value, unknown = match.groups()
        if unknown:
            refuse(refusal(script.path, "UNKNOWN_DIRECTIVE", *_unknown(unknown), number))
            continue
        if key in _REMARKS:
            continue
        value = value.strip()
        if not value:
            problem, cure = f"'{key}' has no value", "Write one, or remove the line."
            refuse(refusal(script.path, "BAD_DIRECTIVE", problem, cure, number))
            continue
        if key in values and key != "depends":
            problem, cure = f"'{key}' is given twice", "Keep one of the lines."
            refuse(refusal(script.path, "BAD_DIRECTIVE", problem, cure, number))
        values[key] = (f"{values[key][0]} {value}" if key in values else value, number)
    _refuse_late_directives(script, offset, dialect, refuse)
    return _header(script.path, values, dialect, refuse)


def refuse_directives(script: Script, dialect: Dialect, refuse: Refuse = stop) -> None:
    """A rollback file has no directives: yoyo ignores them there, so they cannot mean anything."""
    _refuse_late_directives(script, 0, dialect, refuse)


def _lines(text: str) -> Iterator[str]:
    """The lines one by one: a header is short, and the file below it may not be."""
    start = 0
    while start < len(text):
        end = text.find("\n", start)
        end = len(text) if end < 0 else end
        yield text[start:end]
        start = end + 1


def _header(path: Path, values: dict[str, tuple[str, int]], dialect: Dialect, refuse: Refuse) -> Header:
    def bad(key: str, problem: str, cure: str) -> None:
        refuse(refusal(path, "BAD_DIRECTIVE", f"'{key}: {values[key][0]}': {problem}", cure, values[key][1]))
        del values[key]

    def words(key: str) -> tuple[str, ...]:
        return tuple(values[key][0].split()) if key in values else ()

    transactional = values.get("transactional", ("true", 0))[0].lower()
    if transactional not in ("true", "false"):
        bad("transactional", "neither true nor false", "Write 'true' or 'false'; plain yoyo knows no other word.")
    if "version" in values and not VERSION.fullmatch(values["version"][0]):
        bad("version", "not a version", "Write numbers with dots between them, such as 1.2.0.")
    if "revision" in values and not _REVISION.fullmatch(values["revision"][0]):
        bad("revision", "not a single word", "Write one word, such as 005_add_timeline.")
    if "dialects" in values:
        named = {word.strip(",") for word in words("dialects")}
        if not named <= {"sqlite", "postgres"}:
            bad("dialects", "unknown dialect", "The dialects are sqlite and postgres.")
        elif dialect not in named:
            bad("dialects", f"but the file is in the {dialect} folder", "Move the file, or correct the line.")
    return Header(
        depends=words("depends"),
        transactional=transactional != "false",
        version=values["version"][0] if "version" in values else None,
        revision=values["revision"][0] if "revision" in values else None,
        irreversible=values["irreversible"][0] if "irreversible" in values else None,
        expect_row_loss=frozenset(word.strip(",") for word in words("expect-row-loss")),
        dialects=frozenset(word.strip(",") for word in words("dialects")),
    )


def _refuse_late_directives(script: Script, offset: int, dialect: Dialect, refuse: Refuse) -> None:
    if not _KNOWN_ANYWHERE.search(script.text, offset):
        return
    # It may stand inside a literal or a function's body, or speak of the column before it; only a comment without any
    # code on its line is a directive that would be lost.
    text, code_end = script.text[offset:], 0
    for token in tokens(text, dialect):
        if token.kind != "comment":
            code_end = token.start + len(token.text)
        elif _KNOWN_ANYWHERE.match(token.text) and (code_end == 0 or "\n" in text[code_end : token.start]):
            word = token.text.strip("- ").split(":")[0].strip()
            where = "in a rollback file" if offset == 0 else "after the first statement"
            refuse(
                refusal(
                    script.path,
                    "MISPLACED_DIRECTIVE",
                    f"the directive '{word}' stands {where}, where yoyo does not read it",
                    "Move it into the header of the apply file, above everything but other '--' lines.",
                    line_of(script.text, offset + token.start),
                )
            )


def _unknown(key: str) -> tuple[str, str]:
    if key.lower() in KEYS:
        return f"unknown directive '{key}'", f"Write it in lower case: '{key.lower()}'."
    return (
        f"unknown directive '{key}'",
        f"The keys are {', '.join(KEYS)}. If the line is prose, do not begin it with a word and a colon.",
    )
