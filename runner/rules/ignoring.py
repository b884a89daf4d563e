"""``-- lint-ignore: RULE reason``: which findings somebody has looked at and wants to hear no more of."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from runner.rules import suppression, unused_suppression
from runner.rules.model import File, Finding

_LINE = re.compile(r"[^\S\n]*--[^\S\n]*lint-ignore[^\S\n]*:[^\S\n]*([^\s,]*)[^\S\n]*(.*)", re.IGNORECASE)
#: Squawk's rules are not listed here: a name of its has this before it.
SQUAWK = "squawk/"


@dataclass(frozen=True)
class Suppression:
    """One line, and the lines (from, to) of the file for which it speaks."""

    file: File
    line: int
    rule: str
    first: int
    last: int


def suppressions(file: File, names: Collection[str]) -> tuple[list[Suppression], list[Finding]]:
    """The suppressions of a file, and what is wrong with those that suppress nothing."""
    if "lint-ignore" not in file.text.lower():
        return [], []
    lines = file.text.split("\n")
    begins = {file.place(statement.start)[0]: statement for statement in file.statements}
    head = next((number for number, text in enumerate(lines, 1) if not text.lstrip().startswith("--")), len(lines) + 1)
    first_code = min(begins, default=len(lines) + 1)
    found: list[Suppression] = []
    wrong: list[Finding] = []
    for number, text in enumerate(lines, 1):
        match = _LINE.fullmatch(text)
        if match is None:
            continue
        offset = sum(len(line) + 1 for line in lines[: number - 1]) + text.index("--")
        rule, reason = match.groups()
        below = number
        while below < len(lines) and lines[below].lstrip().startswith("--"):
            below += 1
        statement = begins.get(below + 1)
        if rule not in names and not rule.startswith(SQUAWK):
            wrong.append(file.finding(suppression.RULE, offset, f"there is no rule '{rule}'"))
        elif not reason.strip():
            wrong.append(file.finding(suppression.RULE, offset, f"does not say why '{rule}' is to keep silent"))
        elif number < head or (statement is None and number < first_code):
            found.append(Suppression(file, number, rule, 1, len(lines)))
        elif statement is not None:
            last = file.place(statement.start + len(statement.text) - 1)[0]
            found.append(Suppression(file, number, rule, below + 1, last))
        else:
            wrong.append(file.finding(suppression.RULE, offset, "stands before no statement"))
    return found, wrong


def suppress(
    findings: Iterable[Finding], known: Iterable[Suppression], ran: Collection[str]
) -> tuple[list[Finding], int]:
    """The findings that stay, with those on suppressions that had none; and how many were suppressed.

    ``ran`` are the rules that had a chance to find something, as prefixes.
    """
    by_file: dict[Path, list[Suppression]] = {}
    for one in known:
        by_file.setdefault(one.file.path, []).append(one)
    used: set[Suppression] = set()
    kept: list[Finding] = []
    count = 0
    for finding in findings:
        matching = [
            one
            for one in by_file.get(finding.file, ())
            if one.rule == finding.rule and one.first <= finding.line <= one.last
        ]
        used.update(matching)
        if matching:
            count += 1
        else:
            kept.append(finding)
    kept += _unused((one for ones in by_file.values() for one in ones if one not in used), tuple(ran))
    return kept, count


def _unused(known: Iterable[Suppression], ran: tuple[str, ...]) -> Iterator[Finding]:
    for one in known:
        if one.rule.startswith(ran):
            offset = sum(len(line) + 1 for line in one.file.text.split("\n")[: one.line - 1])
            yield one.file.finding(unused_suppression.RULE, offset, f"'{one.rule}' finds nothing here")
