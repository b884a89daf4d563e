"""The rules of ``lint``: one rule a file, each with its name, what is wrong, and what to do.

A module has ``RULE``, and ``check(tree)`` where it finds something by itself. What the reader of the folder refuses
already is found by the reader: such a rule has ``CODES``, or ``claims(error)``.
"""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache
from types import ModuleType

from runner.errors import FolderError
from runner.rules.model import Check, Rule

_HELPERS = {"model", "outlines", "ignoring"}


@cache
def modules() -> tuple[ModuleType, ...]:
    """The modules that hold a rule each, in the order of their ids."""
    names = [module.name for module in pkgutil.iter_modules(__path__) if module.name not in _HELPERS]
    found = [importlib.import_module(f"{__name__}.{name}") for name in names]
    return tuple(sorted(found, key=lambda module: str(module.RULE.id)))


def rules() -> tuple[Rule, ...]:
    return tuple(module.RULE for module in modules())


def checks() -> tuple[Check, ...]:
    return tuple(module.check for module in modules() if hasattr(module, "check"))


def rule_of(error: FolderError) -> Rule:
    """The rule under whose name a refusal of the folder's reader is reported."""
    claiming = [module for module in modules() if hasattr(module, "claims") and module.claims(error)]
    named = [module for module in modules() if error.code in getattr(module, "CODES", ())]
    rule: Rule = (claiming or named)[0].RULE
    return rule
