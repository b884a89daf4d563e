"""sqlparse, which yoyo imports to read files with, sleeps until somebody asks it: the files are read here."""

from __future__ import annotations

import importlib.util
import sys


def import_asleep(name: str) -> None:
    """Let ``import name`` cost nothing until an attribute of the module is wanted; it is then run, once."""
    spec = importlib.util.find_spec(name) if name not in sys.modules else None
    if spec is None or spec.loader is None:
        return
    loader = importlib.util.LazyLoader(spec.loader)
    spec.loader = loader
    sys.modules[name] = module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)


import_asleep("sqlparse")
