"""A real headless Chromium: the one of this machine, driven through its DevTools protocol."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

#: No network of its own, no sandbox (a container's root may have none), no questions.
ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
PROGRAMS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


class NoBrowser(Exception):
    """There is none, or nothing to drive it with."""


def program() -> str:
    """The browser's path; ``MAXWELL_TEST_CHROMIUM`` names another one."""
    given = os.environ.get("MAXWELL_TEST_CHROMIUM")
    found = given or next((path for name in PROGRAMS if (path := shutil.which(name))), None)
    if found is None:
        raise NoBrowser("no Chromium: install the package chromium, or set MAXWELL_TEST_CHROMIUM")
    return found


@contextmanager
def browser() -> Iterator[Any]:
    """A browser with an empty profile, gone at the end."""
    path = program()
    try:
        from playwright.sync_api import sync_playwright
    except ImportError as error:
        raise NoBrowser("no playwright: install the test extra") from error
    with sync_playwright() as driver:
        found = driver.chromium.launch(executable_path=path, args=list(ARGUMENTS), headless=True)
        try:
            yield found
        finally:
            found.close()


@dataclass
class Seen:
    """An opened page, with everything that it said and asked for while it was opened."""

    page: Any
    console: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    dialogs: list[str] = field(default_factory=list)

    def run(self, script: str, argument: Any = None) -> Any:
        return self.page.evaluate(script, argument)


@contextmanager
def opened(
    browser: Any, file: Path, *, width: int = 1400, scheme: str = "light", media: str = "screen"
) -> Iterator[Seen]:
    """A file in a tab of its own, in a window of this width; ``scheme`` is light or dark."""
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
    page = context.new_page()
    page.emulate_media(media=media, color_scheme=scheme)
    seen = Seen(page)
    page.on("console", lambda message: seen.console.append(f"{message.type}: {message.text}"))
    page.on("pageerror", lambda error: seen.console.append(f"error: {error}"))
    page.on("request", lambda request: seen.requests.append(request.url))

    def dialog(found: Any) -> None:
        seen.dialogs.append(found.message)
        found.dismiss()

    page.on("dialog", dialog)
    try:
        page.goto(file.as_uri())
        yield seen
    finally:
        context.close()
