"""yoyo, without what it imports for work that is done here: reading files, and finding its backends by name."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any


class _Asleep(ModuleType):
    """Stands for a module; each function imports that one when it is called."""

    def __getattr__(self, name: str) -> Callable[..., Any]:
        if name.startswith("__"):
            raise AttributeError(name)

        def function(*given: Any, **options: Any) -> Any:
            return getattr(importlib.import_module(self.__name__), name)(*given, **options)

        return function


def import_yoyo() -> None:
    """Import it, with sqlparse and importlib_metadata asleep for it; all others get them as they are."""
    asleep = {name: _Asleep(name) for name in ("sqlparse", "importlib_metadata") if name not in sys.modules}
    sys.modules.update(asleep)
    try:
        importlib.import_module("yoyo")
    finally:
        for name in asleep:
            del sys.modules[name]


if "yoyo" not in sys.modules:
    import_yoyo()
