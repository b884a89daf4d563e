"""Importing a module without what it imports for work that is not done here."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from importlib import import_module
from types import ModuleType
from typing import Any


def import_without(module: str, asleep: Iterable[str]) -> None:
    """Import ``module``, for which the modules of those names are asleep: each is imported when it is first needed.

    Of these it may call functions, and look at what they return: not inherit from a class, and not ask for an
    instance of one. All others get the modules as they are. Not while another thread imports.
    """
    if module in sys.modules:
        return
    importing: list[str] = [module]
    sleeping = {name: _Asleep(name, importing) for name in asleep if name not in sys.modules}
    sys.modules.update(sleeping)
    try:
        import_module(module)
    finally:
        importing.clear()
        for name in sleeping:
            del sys.modules[name]


class _Asleep(ModuleType):
    """Stands for a module."""

    def __init__(self, name: str, importing: list[str]) -> None:
        super().__init__(name)
        self._importing = importing

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return _Later(lambda: getattr(import_module(self.__name__), name), self._importing)


class _Later:
    """Stands for what a module has, or for what a call returns that was made while something was imported."""

    def __init__(self, find: Callable[[], Any], importing: list[str]) -> None:
        self._find, self._importing = find, importing

    def __getattr__(self, name: str) -> Any:
        return getattr(self._find(), name)

    def __call__(self, *given: Any, **options: Any) -> Any:
        if self._importing:
            return _Later(lambda: self._find()(*given, **options), self._importing)
        return self._find()(*given, **options)
