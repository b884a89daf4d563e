"""The report in a real browser: it opens alone, reads well at every width, and whatever a name holds is only text."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from tests.support.browser import Seen, opened
from tests.support.tool import maxwell_db

WIDTHS, SCHEMES = (400, 1400), ("light", "dark")
SCRIPT = "<script>document.title='ran';alert(1)</script>"
IMAGE = "<img src=http://example.invalid/x onerror=alert(2)>"
HOSTILE_TABLE = f'{SCRIPT}"quoted" \u202eltr'
HOSTILE_SQL = f"""-- Break the page: </style></pre></script><!-- {IMAGE} & &lt;b&gt; \u202e reversed \u2066 isolated.
-- version: 0.1

CREATE TABLE "{HOSTILE_TABLE.replace('"', '""')}" (
    id INTEGER NOT NULL PRIMARY KEY,
    "a]]>b</title>" TEXT DEFAULT '</textarea>{IMAGE}',
    "' onmouseover='alert(3)" TEXT
);
CREATE TABLE "]]></desc></svg>" (
    id INTEGER NOT NULL PRIMARY KEY,
    parent INTEGER REFERENCES "{HOSTILE_TABLE.replace('"', '""')}" (id)
);
"""
HOSTILE_ROLLBACK = f"""-- {SCRIPT}
DROP TABLE "]]></desc></svg>";
DROP TABLE "{HOSTILE_TABLE.replace('"', '""')}";
"""


@pytest.fixture(scope="module")
def maxwell(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Maxwell at 1.2.0, so that its last migration is pending and all of the sixteen tables are in the picture."""
    folder = tmp_path_factory.mktemp("report")
    url = f"sqlite:///{folder / 'maxwell.db'}"
    assert maxwell_db("apply", "1.2.0", database=url).exit_code == 0
    rehearsed = maxwell_db("rehearse", "--json", "--dialect", "sqlite", "--rows", "3", database=url)
    (folder / "rehearsal.json").write_text(rehearsed.stdout)
    made = maxwell_db(
        *("report", "--verify", "--rehearsal", str(folder / "rehearsal.json"), "-o", str(folder / "report.html")),
        database=url,
    )
    assert made.exit_code == 0, made.stderr
    return folder / "report.html"


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Names and texts that would break out of a page that does not escape them: some applied, some pending."""
    folder = tmp_path_factory.mktemp("hostile")
    for dialect in ("sqlite", "postgres"):
        (folder / "sql" / dialect).mkdir(parents=True)
        for id, apply, rollback in (
            ("001_first", "-- First.\nCREATE TABLE first (id INTEGER NOT NULL PRIMARY KEY);\n", "DROP TABLE first;\n"),
            ("002_hostile", HOSTILE_SQL, HOSTILE_ROLLBACK),
        ):
            (folder / "sql" / dialect / f"{id}.sql").write_text(apply)
            (folder / "sql" / dialect / f"{id}.rollback.sql").write_text(rollback)
    database = folder / "<b>bold & \u202e.db"
    url = f"sqlite:///{str(database).replace('%', '%25')}"
    assert maxwell_db("apply", "001_first", database=url, sql=folder / "sql").exit_code == 0
    with closing(sqlite3.connect(database)) as connection:
        connection.execute(f'CREATE TABLE "{SCRIPT}" (id INTEGER)')
        connection.execute("UPDATE _yoyo_log SET username = ?, hostname = ?", (SCRIPT, IMAGE))
        connection.commit()
    made = maxwell_db("report", "--verify", "-o", str(folder / "report.html"), database=url, sql=folder / "sql")
    assert made.exit_code == 0, made.stdout + made.stderr
    return folder / "report.html"


@pytest.fixture(params=[(width, scheme) for width in WIDTHS for scheme in SCHEMES], ids=str)
def page(request: pytest.FixtureRequest, chromium: Any, maxwell: Path) -> Iterator[Seen]:
    width, scheme = request.param
    with opened(chromium, maxwell, width=width, scheme=scheme) as seen:
        yield seen


def test_it_opens_without_a_word_on_the_console_and_without_the_network(page: Seen) -> None:
    assert page.console == [] and page.dialogs == []
    assert [url for url in page.requests if not url.startswith(("file:", "data:"))] == []
    assert page.run("performance.getEntriesByType('resource').filter(one => !one.name.startsWith('data:'))") == []


def test_nothing_runs_off_its_side(page: Seen) -> None:
    page.run("document.querySelectorAll('details').forEach(one => one.open = true)")
    assert page.run("document.documentElement.scrollWidth <= window.innerWidth")
    canvas = page.run("(one => [one.scrollWidth, one.clientWidth])(document.querySelector('.canvas'))")
    narrow = page.run("window.innerWidth") < 500
    assert (canvas[0] > canvas[1]) == narrow  # the whole picture is seen at once, or scrolled in its own frame


def test_axe_finds_nothing_serious(page: Seen) -> None:
    from axe_playwright_python.sync_playwright import Axe

    page.run("document.querySelectorAll('details').forEach(one => one.open = true)")
    found = Axe().run(page.page).response
    assert found["testEngine"]["version"].startswith("4.")
    assert len(found["passes"]) > 20
    told = [
        (one["impact"], one["id"], node["target"], node.get("failureSummary"))
        for one in found["violations"]
        for node in one["nodes"]
    ]
    assert told == []


def test_texts_of_the_picture_do_not_overlap_and_stay_in_their_boxes(page: Seen) -> None:
    wrong = page.run(
        """() => {
            const wrong = [];
            for (const table of document.querySelectorAll('svg.schema g.table')) {
                const box = table.querySelector('.box').getBoundingClientRect();
                const texts = [...table.querySelectorAll('text')]
                    .map(one => [one.textContent, one.getBoundingClientRect()]);
                for (const [text, one] of texts) {
                    if (one.left < box.left || one.right > box.right || one.bottom > box.bottom + 1) wrong.push(text);
                    for (const [other, two] of texts) {
                        if (text !== other && one.left < two.left && one.right > two.left
                            && one.top < two.bottom - 6 && two.top < one.bottom - 6) wrong.push([text, other]);
                    }
                }
            }
            const boxes = [...document.querySelectorAll('svg.schema .box')].map(one => one.getBoundingClientRect());
            for (const a of boxes) for (const b of boxes) {
                if (a !== b && a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom)
                    wrong.push('boxes');
            }
            return wrong;
        }"""
    )
    assert wrong == []


def test_the_picture_has_maxwell_s_sixteen_tables_and_says_what_the_change_adds(chromium: Any, maxwell: Path) -> None:
    with opened(chromium, maxwell) as page:
        names = page.run("[...document.querySelectorAll('svg.schema .table > .name')].map(one => one.textContent)")
        assert len(names) == 16 and {"manuscripts", "travel_legs", "feedback_patterns"} <= set(names)
        added = page.run(
            "[...document.querySelectorAll('svg.schema .table.added')].map(one => "
            "[one.querySelector('.name').textContent, one.querySelector('.word').textContent])"
        )
        assert sorted(added) == [
            [name, "+ new"] for name in ("coaching_history", "feedback_patterns", "writing_profiles")
        ]
        described = page.run("document.querySelector('svg.schema desc').textContent")
        assert "16 tables. Added: coaching_history, feedback_patterns, writing_profiles." in described
        sizes = page.run(
            "[...document.querySelectorAll('svg.schema text')].map(one => one.getBoundingClientRect().height)"
        )
        assert min(sizes) >= 11  # drawn at its own size, not shrunk


def test_the_page_is_read_by_the_keyboard_alone(chromium: Any, maxwell: Path) -> None:
    with opened(chromium, maxwell) as page:
        focus = "document.activeElement.className || document.activeElement.getAttribute('href')"
        page.page.keyboard.press("Tab")
        assert page.run(focus) == "skip"
        assert page.run("document.activeElement.getBoundingClientRect().top") >= 0  # and it is seen then
        reached = []
        for _ in range(9):
            page.page.keyboard.press("Tab")
            reached.append(page.run(focus))
            assert page.run("getComputedStyle(document.activeElement).outlineStyle") != "none"
        assert reached == page.run("[...document.querySelectorAll('main > section')].map(one => '#' + one.id)")
        page.page.keyboard.press("Tab")
        assert page.run(focus) == "canvas"  # so that the arrow keys scroll it
        page.page.keyboard.press("Tab")
        assert page.run("document.activeElement.tagName") == "SUMMARY"
        page.page.keyboard.press("Enter")
        assert page.run("document.activeElement.parentElement.open")


def test_its_landmarks_and_headings_are_in_order(chromium: Any, maxwell: Path) -> None:
    with opened(chromium, maxwell) as page:
        levels = page.run("[...document.querySelectorAll('h1,h2,h3,h4')].map(one => Number(one.tagName[1]))")
        assert levels[0] == 1 and levels.count(1) == 1
        assert all(after <= before + 1 for before, after in pairwise(levels))
        assert page.run("document.documentElement.lang") == "en"
        assert page.run("[...document.querySelectorAll('header, nav, main')].map(one => one.tagName)") == [
            *("HEADER", "NAV", "MAIN")
        ]
        assert page.run("document.querySelectorAll('table:not(:has(caption))').length") == 0
        assert page.run("document.querySelectorAll('th:not([scope])').length") == 0


def test_it_prints(chromium: Any, maxwell: Path) -> None:
    """Black on white in a dark window too, without the links, and with the whole picture on the paper."""
    with opened(chromium, maxwell, width=700, scheme="dark", media="print") as page:
        assert page.run("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
        assert page.run("getComputedStyle(document.querySelector('nav')).display") == "none"
        assert page.run("(one => one.scrollWidth <= one.clientWidth)(document.querySelector('.canvas'))")
        assert page.page.pdf(format="A4")[:5] == b"%PDF-"


@pytest.mark.parametrize("width", WIDTHS)
def test_hostile_names_and_texts_are_only_text(chromium: Any, hostile: Path, width: int) -> None:
    with opened(chromium, hostile, width=width) as page:
        page.run("document.querySelectorAll('details').forEach(one => one.open = true)")
        page.page.wait_for_timeout(200)
        assert page.dialogs == [] and page.console == []
        assert [url for url in page.requests if not url.startswith(("file:", "data:"))] == []
        assert page.run("document.querySelectorAll('script, img, iframe, b > i, textarea').length") == 0
        assert page.run("document.title") == "<b>bold & [U+202E].db: migration report"
        text = page.run("document.body.innerText")
        assert SCRIPT in text and IMAGE in text and "</style></pre></script><!--" in text and "&lt;b&gt;" in text
        assert page.run("document.documentElement.scrollWidth <= window.innerWidth")
        # Every line of the file is there, as it is written; what cannot be seen is named instead of done.
        lines = page.run(
            "[...document.querySelectorAll('.file.apply')].map(one => [...one.querySelectorAll('.line')]"
            ".map(line => line.textContent).join(''))"
        )
        expected = HOSTILE_SQL.replace("\u202e", "U+202E").replace("\u2066", "U+2066")
        assert lines == [expected, expected]
        assert "\u202e" not in page.run("document.documentElement.outerHTML")
        names = page.run(
            "[...document.querySelectorAll('svg.schema .table > .name title, svg.schema .table > .name')]"
            ".map(one => one.textContent)"
        )
        assert any(SCRIPT in name for name in names) and "]]></desc></svg>" in names


def test_without_its_own_policy_nothing_of_it_runs_either(chromium: Any, hostile: Path, tmp_path: Path) -> None:
    """The escaping holds by itself; the policy is the second lock."""
    text = hostile.read_text()
    assert text.count('http-equiv="Content-Security-Policy"') == 1
    bare = tmp_path / "bare.html"
    bare.write_text(text.replace('http-equiv="Content-Security-Policy"', 'name="none"'))
    with opened(chromium, bare) as page:
        page.page.wait_for_timeout(200)
        assert page.dialogs == [] and page.run("document.title").startswith("<b>bold")
        assert [url for url in page.requests if not url.startswith(("file:", "data:"))] == []
