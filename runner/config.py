"""``yoyo.ini``: one file configures yoyo (its own keys) and maxwell-db (section ``[maxwell-db]``).

Read in the working folder, or where ``--config`` says; never in a parent folder, where yoyo would look too and find
somebody else's database.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from runner.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

FILE = "yoyo.ini"
SECTION = "maxwell-db"

#: The options that the section may set, under their long names without dashes in front.
KEYS = frozenset(
    {
        "allow-out-of-order",
        "backup-dir",
        "budget",
        "batch-commits",
        "checks",
        "database",
        "ddl-lock-timeout",
        "ddl-lock-try",
        "disconnect",
        "exact",
        "fail-on",
        "from",
        "gate",
        "ignore",
        "json",
        "keep",
        "keep-days",
        "junit",
        "lock-wait",
        "log-format",
        "map",
        "migrate",
        "no-color",
        "metrics",
        "no-backup",
        "no-verify",
        "on-failure",
        "pg-bin",
        "protected",
        "quiet",
        "read-files",
        "rehearse",
        "rows",
        "sample",
        "scratch",
        "single-transaction",
        "sql",
        "squawk",
        "statement-timeout",
        "strict",
        "to",
        "verbose",
    }
)


def variable(option: str) -> str:
    """The environment variable of an option, which is given by its long name without dashes in front."""
    return f"MAXWELL_DB_{option.upper().replace('-', '_')}"


def read_settings(given: str | None) -> dict[str, str]:
    """The settings of the section, by option name; ``database`` may be yoyo's own. Empty where there is no file.

    UsageError names the file, and what is wrong with it.
    """
    if given is None and not os.path.isfile(FILE):
        return {}
    from pathlib import Path

    path = Path(given or FILE)
    if not path.is_file():
        raise UsageError(
            f"no such configuration file: {path}", code="NO_SUCH_CONFIG", hint="Correct --config, or leave it out."
        )
    import configparser  # most calls find no file

    from runner.ini import joined

    ours: dict[str, str] = {}
    database = None
    try:
        for parser in joined(path):
            yoyos = parser["DEFAULT"] if parser.has_section("DEFAULT") else {}
            database = yoyos.get("database", database)
            if SECTION in parser:
                ours |= {key.replace("_", "-"): value for key, value in parser[SECTION].items()}
    except FileNotFoundError as error:
        raise _bad(path, f"inherits a file that is not there: {error}") from error
    except (configparser.Error, UnicodeDecodeError, OSError) as error:
        raise _bad(path, f"cannot be read: {' '.join(str(error).split())}") from error
    unknown = sorted(ours.keys() - KEYS)
    if unknown:
        keys = ", ".join(sorted(KEYS))
        raise _bad(path, f"unknown key '{unknown[0]}' in [{SECTION}]; the keys are {keys}")
    return ours if database is None else {"database": database} | ours


def _bad(path: Path, problem: str) -> UsageError:
    return UsageError(problem, code="BAD_CONFIG", hint="Correct the file.", file=path)
