"""The man page, made of the commands' own help: roff, as man(7) has it."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator

import click

from runner import __version__
from runner.cli.group import cli
from runner.cli.names import ALIASES, COMMANDS
from tests.support.tool import ROOT

DATE = "2026-11-22"  # a page has one; changed with the page, so that two builds are the same
# A long list of choices may be broken after each.
_SPECIAL = {"\\": r"\e", "-": r"\-", "'": r"\(aq", "`": r"\(ga", "^": r"\(ha", "~": r"\(ti", "|": r"|\:"}


def manual() -> str:
    """``maxwell-db.1``."""
    group = cli.make_context("maxwell-db", [], resilient_parsing=True)
    lines = [
        '.\\" Made of the help of the commands by tests/test_manual.py; MAXWELL_WRITE_DOCS=1 writes it anew.',
        f'.TH MAXWELL\\-DB 1 {DATE} "maxwell\\-db {__version__}" "User Commands"',
        *(".nh", ".ad l"),  # names of options and files are not to be broken, nor stretched
        ".SH NAME",
        r"maxwell\-db \- versioned database migrations in plain SQL, on SQLite and PostgreSQL",
        ".SH SYNOPSIS",
        ".B maxwell\\-db",
        r"[\fIOPTIONS\fR] \fICOMMAND\fR [\fIARGUMENTS\fR]",
        ".SH DESCRIPTION",
        *_paragraphs(cli.help or ""),
        ".SH OPTIONS",
        "These stand before the command, or after it.",
        *_options(cli, group, set()),
        ".SH COMMANDS",
    ]
    common = {parameter.name for parameter in cli.params}
    for name in sorted(COMMANDS):
        command = cli.get_command(group, name)
        assert command is not None
        context = click.Context(command, parent=group, info_name=name)
        usage = " ".join(piece for piece in command.collect_usage_pieces(context) if piece != "[OPTIONS]")
        lines.append(f'.SS "{_text(f"{name} {usage}".rstrip())}"')
        lines += _paragraphs(command.help or "")
        lines += _options(command, context, {*common, "help"})
        lines += [".PP", f"Also called {_text(other)}."] if (other := _alias(name)) else []
    lines += [".SH EXIT STATUS", *_exit_codes()]
    lines += [
        ".SH ENVIRONMENT",
        *_item("DATABASE_URL", "the database, where --database and MAXWELL_DB_DATABASE do not name it."),
        *_item("MAXWELL_DB_...", "every option: MAXWELL_DB_LOCK_WAIT for --lock-wait, MAXWELL_DB_GATE=yes for --gate."),
        *_item("NO_COLOR", "no colours."),
        *_item("PGPASSFILE, PGSERVICE, ...", "PostgreSQL's own, as libpq reads them."),
        ".SH FILES",
        *_item("yoyo.ini", "in the working folder: yoyo's keys, and the options above in the section [maxwell-db]."),
        *_item("sql/", "the migrations, unless --sql names them: NAME.sql and NAME.rollback.sql, by dialect."),
        ".SH SEE ALSO",
        ".BR sqlite3 (1),",
        ".BR psql (1),",
        ".BR pg_dump (1)",
    ]
    return "\n".join(lines) + "\n"


def _paragraphs(text: str) -> Iterator[str]:
    """Prose is filled; what stands under click's mark is left as it is."""
    for number, paragraph in enumerate(inspect.cleandoc(text).split("\n\n")):
        yield from [".PP"] if number else []
        lines = paragraph.splitlines()
        if lines and lines[0].strip() == "\b":
            yield from (".nf", *(_line(line) for line in lines[1:]), ".fi")
        elif paragraph.strip():
            yield _line(" ".join(paragraph.split()))


def _options(command: click.Command, context: click.Context, without: set[str | None]) -> Iterator[str]:
    for parameter in command.get_params(context):
        if isinstance(parameter, click.Option) and parameter.name not in without:
            record = parameter.get_help_record(context)
            assert record is not None
            yield from _item(*record)


def _item(term: str, text: str) -> list[str]:
    return [".TP", f".B {_text(term)}", _line(" ".join(text.split()))]


def _alias(name: str) -> str:
    return ", ".join(alias for alias, known in ALIASES.items() if known == name)


def _exit_codes() -> Iterator[str]:
    """Those of the table that all commands share."""
    table = (ROOT / "docs" / "commands.md").read_text().partition("## Exit codes")[2].partition("\n#")[0]
    for codes, meaning in re.findall(r"^\| ([\d, ]+) \| (.*) \|$", table, re.MULTILINE):
        yield from _item(codes, meaning.replace("`", ""))


def _text(text: str) -> str:
    return "".join(_SPECIAL.get(character, character) for character in text)


def _line(text: str) -> str:
    """A line of text; one that begins like a request is none."""
    return f"\\&{_text(text)}" if text[:1] in (".", "'") else _text(text)
