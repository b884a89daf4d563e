"""``status`` and ``apply`` without click: they are run in loops, prompts and deploys, and its import takes long.

What is read here has the same meaning for click, which reads all other ways to write it, and tells of mistakes.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any

from runner.cli.names import ALIASES
from runner.config import variable

if TYPE_CHECKING:
    from runner.cli.session import Session

#: Options that all commands share, as they are written, and their names.
SWITCHES = {f"--{name}": name for name in ("json", "quiet", "verbose", "no-color")}
SWITCHES |= {"-q": "quiet", "-v": "verbose"}
WITH_VALUE = {"--database": "database", "-d": "database", "--sql": "sql", "--config": "config"}


#: The commands, and the switches of their own. NAME is done by show_NAME, in its module, which takes them by name.
OWN_SWITCHES = {
    "status": ("exit-code", "read-files"),
    "apply": ("gate", "no-verify", "single-transaction", "allow-out-of-order", "batch-commits", "dry-run"),
}
#: Their other options, which click reads, wherever they come from.
OTHERS = {"apply": ("lock-wait", "ddl-lock-timeout", "ddl-lock-try", "statement-timeout", "checks", "plan")}
WITH_TARGET = frozenset({"apply"})


def plain_call(arguments: Sequence[str], session: Session) -> Callable[[], int] | None:
    """The command with all that it was told; None where click has to read it. What is common is told to the session."""
    name, given = _read(arguments)
    if not name:
        return None
    own = (*OWN_SWITCHES[name], *OTHERS.get(name, ()))
    if any(os.environ.get(variable(option)) for option in own):
        return None
    told = {option.replace("-", "_"): bool(given.pop(option, False)) for option in OWN_SWITCHES[name]}
    if name in WITH_TARGET:
        told["target"] = given.pop("target", None)
    session.command = name
    for option, value in given.items():
        session.set_flag(option, value)
    if any(option in session.settings for option in own):
        return None
    show = getattr(import_module(f"runner.cli.show_{name}"), f"show_{name}")
    return partial(show, session, **told)


def _read(arguments: Sequence[str]) -> tuple[str, dict[str, Any]]:
    """The command, and the options by name, of nothing but a plain command and options written in full; else ""."""
    name, given = "", dict[str, Any]()
    words = iter(arguments)
    for word in words:
        option, equals, value = word.partition("=")
        if word in SWITCHES:
            given[SWITCHES[word]] = True
        elif option in WITH_VALUE and (not equals or option.startswith("--")):
            value = value if equals else next(words, "-")
            if value.startswith("-"):
                return "", {}
            given[WITH_VALUE[option]] = value
        elif not name:
            name = ALIASES.get(word, word)
            if name not in OWN_SWITCHES:
                return "", {}
        elif word.startswith("--") and word.removeprefix("--") in OWN_SWITCHES[name]:
            given[word.removeprefix("--")] = True
        elif name in WITH_TARGET and "target" not in given and not word.startswith("-"):
            given["target"] = word
        else:
            return "", {}
    return name, given
