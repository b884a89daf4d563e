"""A browser for tests, started once for all of them that want one."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.browser import NoBrowser
from tests.support.browser import browser as started


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    """A headless Chromium. Skipped where there is none; in CI that is a failure."""
    try:
        with started() as found:
            yield found
    except NoBrowser as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(error))
