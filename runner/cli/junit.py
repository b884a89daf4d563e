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
    """One test case. ``failure`` is what went wrong: a line, and all of it."""

    name: str
    group: str
    failure: tuple[str, str] | None = None
    seconds: float = 0.0


def junit(suite: str, cases: Sequence[Case], output: str = "") -> str:
    """One suite of test cases as an XML document."""
    failures = str(sum(case.failure is not None for case in cases))
    seconds = f"{sum(case.seconds for case in cases):.3f}"
    root = ElementTree.Element("testsuites")
    element = ElementTree.SubElement(
        root,
        "testsuite",
        {
            "name": suite,
            "package": "maxwell-db",
            "id": "0",
            "tests": str(len(cases)),
            "failures": failures,
            "errors": "0",
            "time": seconds,
            "timestamp": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S"),
            "hostname": socket.gethostname(),
        },
    )
    properties = ElementTree.SubElement(element, "properties")
    ElementTree.SubElement(properties, "property", {"name": "maxwell-db", "value": __version__})
    for case in cases:
        names = {"name": _legal(case.name), "classname": _legal(case.group), "time": f"{case.seconds:.3f}"}
        one = ElementTree.SubElement(element, "testcase", names)
        if case.failure:
            message, text = map(_legal, case.failure)
            ElementTree.SubElement(one, "failure", {"type": "failure", "message": message}).text = text
    ElementTree.SubElement(element, "system-out").text = _legal(output)
    ElementTree.SubElement(element, "system-err").text = ""
    ElementTree.indent(root)
    body = ElementTree.tostring(root, encoding="unicode")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{body}'


def _legal(text: str) -> str:
    """Without the control characters that XML cannot hold."""
    return "".join(character for character in text if character in "\t\n" or character >= " ")
