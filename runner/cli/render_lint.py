"""What ``lint`` found, for people and for the programs that show it to them."""

from __future__ import annotations

import json
from collections import Counter
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import quote

from runner import __version__
from runner.cli.junit import Case, junit
from runner.operations.lint import LintReport
from runner.rules import rules
from runner.rules.model import Finding

_WIDTH = 100  # of a source line, in text
SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"


def lint_text(report: LintReport, *, quiet: bool = False) -> str:
    """Each finding with its line and a caret below the column; then the sum."""
    lines = [line for finding in report.findings for line in _finding_text(finding)]
    if quiet:
        return "\n".join(lines)
    found = [_count(report.errors, "error"), _count(report.warnings, "warning")]
    found += [f"{report.suppressed} suppressed"] if report.suppressed else []
    lines.append(f"{_count(len(report.files), 'file')} reviewed: {', '.join(found)}.")
    if report.squawk.status == "missing":
        lines.append(
            "squawk is not installed, so its rules for PostgreSQL were not run: pip install 'maxwell-db[lint]'"
        )
    return "\n".join(lines)


def _finding_text(finding: Finding) -> list[str]:
    lines = [
        f"{shown(finding.file)}:{finding.line}:{finding.column}: "
        f"{'error' if finding.severity == 'error' else 'warning'}: {finding.message} [{finding.rule}]"
    ]
    if finding.source.strip():
        # A tab stays a tab in the line below, so that the caret stands where it should.
        begin = max(0, finding.column - 1 - _WIDTH // 2) if len(finding.source) > _WIDTH else 0
        before = finding.source[begin : finding.column - 1]
        lines.append(f"    {finding.source[begin : begin + _WIDTH].rstrip()}")
        lines.append("    " + "".join("\t" if character == "\t" else " " for character in before) + "^")
    lines.append(f"    hint: {finding.hint}")
    return lines


def lint_data(report: LintReport) -> dict[str, Any]:
    return {
        "files": len(report.files),
        "errors": report.errors,
        "warnings": report.warnings,
        "suppressed": report.suppressed,
        "squawk": report.squawk.status,
        "findings": [
            {
                "rule": finding.rule,
                "severity": finding.severity,
                "file": shown(finding.file),
                "line": finding.line,
                "column": finding.column,
                "message": finding.message,
                "hint": finding.hint,
            }
            for finding in report.findings
        ],
    }


def lint_github(report: LintReport) -> str:
    """Workflow commands: GitHub shows them beside the lines of a pull request."""

    def text(value: str) -> str:
        return value.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")

    def part(value: str) -> str:
        return text(value).replace(":", "%3A").replace(",", "%2C")

    return "\n".join(
        f"::{'error' if finding.severity == 'error' else 'warning'} file={part(shown(finding.file))},"
        f"line={finding.line},col={finding.column},title={part(finding.rule)}"
        f"::{text(finding.message)}. {text(finding.hint)}"
        for finding in report.findings
    )


def lint_gitlab(report: LintReport) -> str:
    """GitLab's code quality report."""
    prints = _fingerprints(report)
    entries = [
        {
            "description": f"{finding.message}. {finding.hint}",
            "check_name": finding.rule,
            "fingerprint": fingerprint,
            "severity": "major" if finding.severity == "error" else "minor",
            "location": {"path": shown(finding.file), "lines": {"begin": finding.line}},
        }
        for finding, fingerprint in zip(report.findings, prints, strict=True)
    ]
    return json.dumps(entries, indent=2, ensure_ascii=False)


def lint_sarif(report: LintReport) -> str:
    """SARIF 2.1.0."""
    described: dict[str, dict[str, Any]] = {
        rule.name: {
            "id": rule.name,
            "name": rule.id,
            "shortDescription": {"text": rule.problem.split(". ")[0].rstrip(".") + "."},
            "fullDescription": {"text": rule.problem},
            "help": {"text": rule.solution},
            "defaultConfiguration": {"level": _level(rule.severity)},
        }
        for rule in rules()
    }
    for finding in report.findings:  # squawk's
        if finding.rule not in described:
            name = finding.rule.partition("/")[2]
            described[finding.rule] = {
                "id": finding.rule,
                "shortDescription": {"text": finding.rule},
                "helpUri": f"https://squawkhq.com/docs/{quote(name)}",
            }
    places = {name: number for number, name in enumerate(described)}
    results = [
        {
            "ruleId": finding.rule,
            "ruleIndex": places[finding.rule],
            "level": _level(finding.severity),
            "message": {"text": f"{finding.message}. {finding.hint}"},
            "locations": [
                {
                    "physicalLocation": {
                        "artifactLocation": {"uri": quote(shown(finding.file))},
                        "region": {
                            "startLine": finding.line,
                            "startColumn": finding.column,
                            "snippet": {"text": finding.source},
                        },
                    }
                }
            ],
            "partialFingerprints": {"maxwellFinding/v1": fingerprint},
        }
        for finding, fingerprint in zip(report.findings, _fingerprints(report), strict=True)
    ]
    driver = {"name": "maxwell-db", "version": __version__, "rules": list(described.values())}
    run = {"tool": {"driver": driver}, "columnKind": "unicodeCodePoints", "results": results}
    return json.dumps({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}, indent=2, ensure_ascii=False)


def lint_junit(report: LintReport, *, strict: bool = False) -> str:
    """A test case for each file; it fails by what makes the exit code 1."""
    cases = []
    for file in sorted({*report.files, *(finding.file for finding in report.findings)}):
        mine = [one for one in report.findings if one.file == file and (strict or one.severity == "error")]
        text = "\n".join(line for one in mine for line in _finding_text(one))
        failure = (f"{_count(len(mine), 'finding')}: {mine[0].message}", text) if mine else None
        cases.append(Case(shown(file), "lint", failure))
    return junit("lint", cases, lint_text(report))


def _level(severity: str) -> str:
    return "error" if severity == "error" else "warning"


def _fingerprints(report: LintReport) -> list[str]:
    """One for each finding, which stays the same when lines are added above it."""
    seen: Counter[tuple[str, str, str]] = Counter()
    prints = []
    for finding in report.findings:
        key = (finding.rule, shown(finding.file), finding.source.strip() + finding.message)
        prints.append(sha256("\0".join((*key, str(seen[key]))).encode()).hexdigest())
        seen[key] += 1
    return prints


def shown(path: Path) -> str:
    """A path as it is called from here, with slashes."""
    here = Path.cwd()
    absolute = path.absolute()
    return (absolute.relative_to(here) if absolute.is_relative_to(here) else path).as_posix()


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
