"""The report as one page that needs nothing beside itself: no network, no script, no font."""

from __future__ import annotations

from collections.abc import Callable
from importlib.resources import files

from runner.report import html_data, html_review
from runner.report.html_parts import note
from runner.report.model import Report
from runner.report.text import escape, marked, plain
from runner.report.words import summary

#: Nothing is loaded and nothing is run, whatever a name or a comment holds.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"

_SECTIONS: tuple[tuple[str, str, Callable[[Report], str]], ...] = (
    ("standing", "Where the database stands", html_data.standing),
    ("schema", "Schema", html_data.schema),
    ("sql", "The SQL", html_review.changes),
    ("lint", "Lint", html_review.lint),
    ("rehearsal", "Rehearsal", html_review.rehearsal),
    ("checks", "Checks", html_review.checks),
    ("rows", "Rows", html_data.rows),
    ("checksums", "Checksums", html_data.checksums),
    ("history", "History", html_data.history),
)


def page(report: Report) -> str:
    """The whole page, as HTML 5."""
    title = f"{plain(report.name)}: migration report"
    style = files("runner.report").joinpath("page.css").read_text(encoding="utf-8")
    links = "".join(f'<li><a href="#{id}">{name}</a></li>' for id, name, _ in _SECTIONS)
    body = "".join(
        f'<section id="{id}" aria-labelledby="{id}-title"><h2 id="{id}-title">{name}</h2>'
        f"{note(report, id)}{content(report)}</section>\n"
        for id, name, content in _SECTIONS
    )
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{_POLICY}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="generator" content="maxwell-db {escape(report.tool_version)}">
<link rel="icon" href="data:,">
<title>{escape(title)}</title>
<style>
{style}</style>
</head>
<body>
<a class="skip" href="#main">Skip to the report</a>
<header>
<h1>Migration report: <bdi>{marked(report.name)}</bdi></h1>
<p class="made"><bdi>{marked(report.database)}</bdi>{_engine(report)}. Made {escape(report.made_at)} UTC
by maxwell-db {escape(report.tool_version)}.</p>
{_refused(report)}{_summary(report)}
</header>
<nav aria-label="Sections"><ul>{links}</ul></nav>
<main id="main" tabindex="-1">
{body}</main>
</body>
</html>
"""


def _engine(report: Report) -> str:
    return f" on {marked(report.engine)}" if report.engine else ""


def _refused(report: Report) -> str:
    if not report.refused:
        return ""
    items = "".join(f"<li>{marked(problem)}</li>" for problem in report.refused)
    return (
        f'<div class="banner error"><p><b>\N{BALLOT X} The folder is refused.</b> Nothing would run before this is put '
        f"right; what could be read is below.</p><ul>{items}</ul></div>"
    )


def _summary(report: Report) -> str:
    tiles = "".join(
        f'<div class="tile {fact.tone}"><dt>{escape(fact.name)}</dt><dd>{escape(fact.text)}</dd></div>'
        for fact in summary(report)
    )
    return f'<dl class="summary">{tiles}</dl>'
