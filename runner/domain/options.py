"""How a run is to be done. Times are in seconds."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class RunOptions:
    """What every run that writes can be told."""

    verify: bool = True
    lock_wait: float = 60.0  # for another run on the same database
    ddl_lock_timeout: float = 30.0  # for the locks of a migration's statements, all tries together; PostgreSQL


@dataclass(frozen=True)
class ApplyOptions(RunOptions):
    """How to apply. ``gate``: verify before each commit, so that what breaks the data never is committed."""

    gate: bool = False
    single_transaction: bool = False
    allow_out_of_order: bool = False
