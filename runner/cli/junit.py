"""JUnit's XML, as far as the common schemas agree on it."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from xml.etree import ElementTree

from runner import __version__


@dataclass(frozen=True)
class Case:
    """One test case. ``failure`` is what went wrong: a line, and all of it; ``skipped`` is why it did not run."""

    name: str
    group: str
    failure: tuple[str, str] | None = None
    seconds: float = 0.0
    skipped: str | None = None


@dataclass(frozen=True)
class Suite:
    """Test cases under one name, and what else there is to say."""

    name: str
    cases: Sequence[Case]
    output: str = ""


def junit(suite: str, cases: Sequence[Case], output: str = "") -> str:
    """One suite of test cases as an XML document."""
    return junit_suites([Suite(suite, cases, output)])


def junit_suites(suites: Sequence[Suite]) -> str:
    """Several suites as one XML document."""
    root = ElementTree.Element("testsuites")
    for number, suite in enumerate(suites):
        _add(root, number, suite)
    ElementTree.indent(root)
    body = ElementTree.tostring(root, encoding="unicode")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{body}'


def _add(root: ElementTree.Element, number: int, suite: Suite) -> None:
    element = ElementTree.SubElement(
        root,
        "testsuite",
        {
            "name": suite.name,
            "package": "maxwell-db",
            "id": str(number),
            "tests": str(len(suite.cases)),
            "failures": str(sum(case.failure is not None for case in suite.cases)),
            "errors": "0",
            "skipped": str(sum(case.skipped is not None for case in suite.cases)),
            "time": f"{sum(case.seconds for case in suite.cases):.3f}",
            "timestamp": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S"),
            "hostname": socket.gethostname(),
        },
    )
    properties = ElementTree.SubElement(element, "properties")
    ElementTree.SubElement(properties, "property", {"name": "maxwell-db", "value": __version__})
    for case in suite.cases:
        names = {"name": _legal(case.name), "classname": _legal(case.group), "time": f"{case.seconds:.3f}"}
        one = ElementTree.SubElement(element, "testcase", names)
        if case.failure:
            message, text = map(_legal, case.failure)
            ElementTree.SubElement(one, "failure", {"type": "failure", "message": message}).text = text
        elif case.skipped is not None:
            ElementTree.SubElement(one, "skipped", {"message": _legal(case.skipped)})
    ElementTree.SubElement(element, "system-out").text = _legal(suite.output)
    ElementTree.SubElement(element, "system-err").text = ""


def _legal(text: str) -> str:
    """Without the control characters that XML cannot hold."""
    return "".join(character for character in text if character in "\t\n" or character >= " ")
