"""What a shell may complete an argument to: read from files at most, fast, and silent about whatever is wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import click

from runner.cli.session import Session

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    from runner.domain.migration import Migration

Complete = Callable[[click.Context, click.Parameter, str], "list[CompletionItem[Any]]"]


def targets(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem[Any]]:
    """head, base, versions (with a ``v`` where one was typed), revisions and ids, newest first."""
    found: list[tuple[str, str]] = [("head", "the newest migration"), ("base", "before the first one")]
    migrations = _migrations(ctx)
    v = "v" if incomplete.startswith("v") else ""
    found += [(v + one.version, one.id) for one in migrations if one.version]
    found += [(one.revision, one.id) for one in migrations if one.revision]
    found += [(one.id, one.version or "") for one in migrations]
    return _items(found, incomplete)


def ids(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem[Any]]:
    return _items([(one.id, one.version or "") for one in _migrations(ctx)], incomplete)


def checks(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem[Any]]:
    """The checks of the files; of a SQLite database those that its foreign keys make, too. No server is asked."""
    from verify.loader import load_checks

    url, folders = _session(ctx).url, tuple(ctx.params.get("checks") or ())
    found = load_checks(url.dialect, folders)
    if url.path is not None and url.path.is_file():
        from contextlib import closing

        from runner.dialects import connect
        from verify.run import list_checks

        with closing(connect(url, read_only=True)) as connection:
            found = list_checks(connection, url.dialect, folders)
    return _items([(check.name, check.summary) for check in found], incomplete)


def lint_rules(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem[Any]]:
    from runner.rules import rules

    return _items([(rule.name, rule.problem.split(". ")[0]) for rule in rules()], incomplete)


def probes(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem[Any]]:
    from runner.doctor import PROBES

    return _items([(probe.name, "") for probe in PROBES], incomplete)


def nothing(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem[Any]]:
    """For text that only a person knows."""
    return []


def files(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem[Any]]:
    return [_item(incomplete, kind="file")]


def folders(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem[Any]]:
    return [_item(incomplete, kind="dir")]


def _session(ctx: click.Context) -> Session:
    return ctx.ensure_object(Session)


def _migrations(ctx: click.Context) -> tuple[Migration, ...]:
    """Newest first; what cannot be read is left out."""
    from runner.sources.folder import read_folder
    from runner.sources.place import dialect_folder

    session = _session(ctx)
    dialect = session.url.dialect
    return read_folder(dialect_folder(session.sql, dialect), dialect, lambda problem: None)[::-1]


def _items(found: Iterable[tuple[str, str]], incomplete: str) -> list[CompletionItem[Any]]:
    return [_item(value, help=" ".join(text.split())) for value, text in found if value.startswith(incomplete)]


def _item(value: str, *, kind: str = "plain", help: str = "") -> CompletionItem[Any]:
    from click.shell_completion import CompletionItem

    return CompletionItem(value, type=kind, help=help or None)
