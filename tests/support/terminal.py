"""Run a program on a terminal of its own, as a person would."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path


def on_a_terminal(
    arguments: Sequence[str], *, cwd: Path, env: Mapping[str, str], typed: Sequence[tuple[str, str]] = ()
) -> tuple[int, str]:
    """The exit code, and all that was to be seen. ``typed``: after these words, type that."""
    ours, theirs = pty.openpty()
    run = subprocess.Popen(arguments, cwd=cwd, env=dict(env), stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    seen, waiting, deadline = "", list(typed), time.monotonic() + 60
    try:
        while time.monotonic() < deadline:
            if waiting and waiting[0][0] in seen:
                os.write(ours, f"{waiting.pop(0)[1]}\n".encode())
            if select.select([ours], [], [], 0.1)[0]:
                try:
                    part = os.read(ours, 4096)
                except OSError:  # the other end is closed
                    break
                if not part:
                    break
                seen += part.decode(errors="replace")
        return run.wait(timeout=10), seen.replace("\r\n", "\n")
    finally:
        run.kill()
        run.wait()
        os.close(ours)
