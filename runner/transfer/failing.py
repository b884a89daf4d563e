"""What the target's server says when it refuses, as an error of ours."""

from __future__ import annotations

from typing import Any

from runner.errors import LockTimeout, MaxwellError, MisfitFound, TransferFailed

IN_DOUBT = "The connection was lost while it committed: 'maxwell-db history' of the target says whether it did."
ROLLED_BACK = "Everything is rolled back; the target is as it was."


def server_refused(error: Any, connection: Any, *, in_doubt: bool) -> MaxwellError:
    """A driver's error of the transfer: its cause, and what is true of the target now."""
    diag = error.diag
    text = diag.message_primary or " ".join(str(error).split())
    lines = [f"{text} (SQLSTATE {error.pgcode})" if error.pgcode else text]
    lines += [f"{name}: {more}" for name, more in (("DETAIL", diag.message_detail), ("CONTEXT", diag.context)) if more]
    message, state = "\n".join(lines), error.pgcode or ""
    if in_doubt:
        return TransferFailed(message, code="IN_DOUBT", hint=IN_DOUBT)
    if connection.closed:
        return TransferFailed(
            f"the connection to the target was lost: {message}",
            code="CONNECTION_LOST",
            hint=f"{ROLLED_BACK} Run it again.",
        )
    if state == "55P03":
        return LockTimeout(
            f"somebody is at work in the target's tables: {message}",
            code="LOCK_TIMEOUT",
            hint=f"{ROLLED_BACK} Try again when they have finished, or wait longer: --lock-wait SECONDS.",
        )
    if state[:2] in ("22", "23"):
        return MisfitFound(
            f"the target refuses the data: {message}",
            code="DATA_REFUSED",
            hint=f"{ROLLED_BACK} Correct the source, or settle it in a file given as --map.",
        )
    if state == "42501":
        return TransferFailed(
            message, code="NOT_THE_OWNER", hint=f"{ROLLED_BACK} transfer runs as the role that owns the tables."
        )
    return TransferFailed(message, code="TRANSFER_FAILED", hint=ROLLED_BACK)
