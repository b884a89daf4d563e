"""How a run is to be done. Times are in seconds."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class RunOptions:
    """What every run that writes can be told."""

    verify: bool = True
    lock_wait: float = 60.0  # for another run on the same database
    # PostgreSQL's locks, which a migration's statements need: for one try, and for all tries together.
    ddl_lock_try: float = 5.0
    ddl_lock_timeout: float = 30.0
    statement_timeout: float = 0.0  # of each statement of a migration; 0: none; PostgreSQL


@dataclass(frozen=True)
class ApplyOptions(RunOptions):
    """How to apply. ``gate``: verify before each commit, so that what breaks the data never is committed.

    ``batch_commits``: wait for the disk once, at the end. A new SQLite file, in which nothing can be lost, gets that
    anyhow.
    """

    gate: bool = False
    single_transaction: bool = False
    allow_out_of_order: bool = False
    batch_commits: bool = False
