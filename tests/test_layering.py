"""Imports point one way: errors <- domain <- sources, dialects <- ledger, backend <- operations <- cli."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.tool import ROOT

#: A module imports of its own layer's folder, and of the layers before; never beside itself, and never of a later one.
LAYERS = (
    {"__init__", "asleep", "errors", "identity", "ini"},
    {"domain", "config", "interruption"},
    {"sources", "dialects", "patterns", "rules", "lock"},
    {"ledger", "catalog", "scratch", "backup"},
    {"backend", "history", "yoyo_row", "transfer"},
    {"doctor", "rehearsal"},
    {"report"},
    {"operations"},
    {"templates"},
    {"cli", "pytest_plugin"},
    {"__main__"},
)
DRIVERS = {"sqlite3", "psycopg2"}


@dataclass(frozen=True)
class Import:
    """One import that runs; those for type checkers only do not."""

    file: Path
    line: int
    module: str
    lazy: bool

    @property
    def top(self) -> str:
        return self.module.partition(".")[0]

    def __str__(self) -> str:
        return f"{self.file.relative_to(ROOT)}:{self.line} imports {self.module}"


def imports_of(file: Path) -> list[Import]:
    found: list[Import] = []

    def visit(node: ast.AST, lazy: bool) -> None:
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            return
        if isinstance(node, ast.Import):
            found.extend(Import(file, node.lineno, alias.name, lazy) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}:{node.lineno}: a relative import"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
            found.extend(Import(file, node.lineno, name, lazy) for name in names)
        inside = lazy or isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        for child in ast.iter_child_nodes(node):
            visit(child, inside)

    visit(ast.parse(file.read_text()), False)
    return found


def files(*folders: str) -> list[Path]:
    return sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))


def all_imports(*folders: str) -> Iterator[Import]:
    for file in files(*folders):
        yield from imports_of(file)


def part_of_runner(name: str) -> str:
    """``runner.domain.sql.tokens`` -> ``domain``; what ``runner`` itself has is ``__init__``."""
    parts = name.split(".")
    exists = len(parts) > 1 and any((ROOT / "runner" / f"{parts[1]}{end}").exists() for end in ("", ".py"))
    return parts[1] if exists else "__init__"


def layer(part: str) -> int:
    for number, parts in enumerate(LAYERS):
        if part in parts:
            return number
    raise AssertionError(f"runner/{part} is in no layer: give it one")


@pytest.mark.parametrize("file", files("runner"), ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_point_one_way(file: Path) -> None:
    part = part_of_runner(".".join(file.relative_to(ROOT).with_suffix("").parts))
    for one in imports_of(file):
        if one.top != "runner":
            continue
        other = part_of_runner(one.module)
        assert other == part or layer(other) < layer(part), f"{one}: against the direction"


def test_the_command_line_reaches_the_database_by_operations() -> None:
    wrong = [str(one) for one in all_imports("runner/cli") if part_of_runner(one.module) in ("backend", "lock")]
    assert wrong == []


def test_every_dataclass_says_what_it_is() -> None:
    """For the reader; and one without a docstring makes dataclasses import inspect."""
    for file in files("runner", "verify"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.ClassDef) and any("dataclass" in ast.unparse(one) for one in node.decorator_list):
                assert ast.get_docstring(node), f"{file.relative_to(ROOT)}:{node.lineno} {node.name}"


def test_verify_is_a_leaf() -> None:
    wrong = [one for one in all_imports("verify") if one.top in {"runner", "tests", "yoyo", "click", "rich"}]
    # A hook of plain yoyo's is yoyo's business.
    assert [str(one) for one in wrong if one.top != "yoyo" or "hooks" not in one.file.parts] == []


def test_yoyo_is_imported_by_the_backend_alone() -> None:
    places = {
        (one.file.relative_to(ROOT / "runner").parts[0], one.lazy) for one in all_imports("runner") if one.top == "yoyo"
    }
    assert places == {("backend", False)}


def test_click_and_rich_are_the_command_lines() -> None:
    assert [
        str(one)
        for one in all_imports("runner", "verify")
        if one.top in ("click", "rich") and "cli" not in one.file.parts
    ] == []


def test_rich_is_imported_when_it_is_needed() -> None:
    found = [one for one in all_imports("runner") if one.top == "rich"]
    assert found and all(one.lazy for one in found)


def test_drivers_are_named_where_databases_are_spoken_to() -> None:
    allowed = {"runner/dialects", "runner/backend", "runner/backup"}
    wrong = [
        str(one)
        for one in all_imports("runner")
        if one.top in DRIVERS
        and str(one.file.parent.relative_to(ROOT)) not in allowed
        and one.file != ROOT / "runner" / "domain" / "sql.py"  # SQLite's rule for the end of a statement; see below
    ]
    assert wrong == []


def test_each_driver_is_imported_for_its_dialect_alone() -> None:
    for one in all_imports("runner/dialects", "runner/backend", "verify"):
        if one.top in DRIVERS and not one.lazy:
            foreign = "postgres" if one.top == "sqlite3" else "sqlite"
            assert foreign not in one.file.name, f"{one}: the other dialect's driver"


OPENS = {
    *("open", "read_text", "read_bytes", "write_text", "write_bytes", "exists", "is_file", "is_dir", "stat", "mkdir"),
    *("unlink", "resolve", "iterdir", "glob", "rglob", "cwd", "connect", "execute", "print", "input", "exit"),
}


@pytest.mark.parametrize("file", files("runner/domain"), ids=lambda path: path.name)
def test_the_domain_opens_nothing(file: Path) -> None:
    wanted = {"os", "sys", "io", "subprocess", "socket", "tempfile", "shutil", "logging", "time", "random"}
    assert [str(one) for one in imports_of(file) if one.top in wanted] == []
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Call):
            name = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
            assert name not in OPENS, f"{file.name}:{node.lineno}: {name}()"
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in DRIVERS:
            assert (node.value.id, node.attr) == ("sqlite3", "complete_statement"), f"{file.name}:{node.lineno}"


@pytest.mark.parametrize("file", files("runner/operations"), ids=lambda path: path.name)
def test_an_operation_neither_prints_nor_exits(file: Path) -> None:
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            assert node.func.id not in {"print", "input", "exit", "quit"}, f"{file.name}:{node.lineno}"
        assert not (isinstance(node, ast.Name) and node.id == "SystemExit"), f"{file.name}:{node.lineno}"
    assert not {"sys", "click"} & {one.top for one in imports_of(file)}
