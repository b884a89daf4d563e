"""yoyo's import, without what we do not ask of it: reading files, and finding its backends by name."""

from __future__ import annotations

import sys
from typing import Any

from runner.asleep import import_without

ASLEEP = (
    *("getpass", "glob", "importlib.resources", "importlib_metadata", "inspect", "logging"),
    *("pickle", "random", "socket", "sqlparse", "textwrap", "unicodedata", "uuid", "yoyo.config", "configparser"),
)


class _Unheard:
    """yoyo's logger, as long as nobody has imported logging, who could listen to what it says of its work."""

    def __init__(self, logger: Any) -> None:
        self._logger = logger

    def info(self, *given: Any) -> None:
        if "logging" in sys.modules:
            self._logger.info(*given)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._logger, name)


# On a terminal the thread that shows the progress may import at the same time.
import_without("yoyo", () if "rich" in sys.modules else ASLEEP)

if "logging" not in sys.modules:
    from yoyo.backends import base

    base.logger = _Unheard(base.logger)
