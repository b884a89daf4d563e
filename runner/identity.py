"""Who runs this, as logs, locks and the ledger say it."""

from __future__ import annotations

import os
from functools import lru_cache


@lru_cache
def user_and_host() -> tuple[str, str]:
    """Who runs this. A uid without a name (containers) is its number; the host is asked of no name server."""
    import getpass

    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        user = str(os.getuid())
    return user, os.uname().nodename
