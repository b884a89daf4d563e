"""What a branch of git has: the migrations that others may have applied already. Nothing of git's is written."""

from __future__ import annotations

import hashlib
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

from runner.domain.migration import Dialect
from runner.errors import UsageError
from runner.rules.model import Base

_SECONDS = 30


def read_base(folders: Mapping[Dialect, Path], ref: str) -> Base:
    """The migrations of ``ref``, in the folders that are looked at here.

    Compared is with the point at which this branch left it, so that what came into it since is nobody's edit.
    UsageError where there is no git, no repository, or no such reference.
    """
    texts: dict[Path, str] = {}
    newest: dict[Path, str] = {}
    for folder in folders.values():
        commit = _commit(folder, ref)
        fork = _git(folder, "merge-base", commit, "HEAD", missing=commit)
        for name, blob in _blobs(folder, fork).items():
            path = folder / name
            texts[path] = _text(folder, path, blob)
        applies = [name for name in _blobs(folder, commit) if not name.endswith(".rollback.sql")]
        newest[folder] = max((name.removesuffix(".sql") for name in applies), default="")
    return Base(ref, texts, newest)


def _commit(folder: Path, ref: str) -> str:
    _git(folder, "rev-parse", "--git-dir")
    if not ref or ref.startswith("-"):
        raise _unknown(ref)
    commit = _git(folder, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{ref}^{{commit}}", missing="")
    if not commit:
        raise _unknown(ref)
    return commit


def _unknown(ref: str) -> UsageError:
    return UsageError(
        f"git knows no commit '{ref}'",
        code="UNKNOWN_REF",
        hint="Fetch the branch first (git fetch origin main), or correct --since.",
    )


def _blobs(folder: Path, commit: str) -> dict[str, str]:
    """The SQL files that a commit has in a folder, and git's hash of each."""
    listing = _git(folder, "ls-tree", "-z", commit, ".", strip=False)
    found = {}
    for entry in listing.split("\0"):
        facts, _, name = entry.partition("\t")
        name = name.rpartition("/")[2]
        if name.endswith(".sql"):
            found[name] = facts.split()[2]
    return found


def _text(folder: Path, path: Path, blob: str) -> str:
    """The text of a blob: the file's own, as far as that has the blob's hash, which saves asking."""
    try:
        data = path.read_bytes()
    except OSError:
        data = b""
    algorithm = "sha1" if len(blob) == 40 else "sha256"
    if hashlib.new(algorithm, b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest() != blob:
        return _git(folder, "cat-file", "blob", blob, strip=False)
    return data.decode("utf-8", errors="replace")


def _git(folder: Path, *arguments: str, missing: str | None = None, strip: bool = True) -> str:
    """Ask git, in ``folder``. ``missing`` is the answer where it says no."""
    # What a foreign repository's configuration would have git run is switched off.
    safe = ("-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null", "--no-optional-locks")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    try:
        done = subprocess.run(
            ["git", *safe, *arguments],
            cwd=folder,
            env=environment | {"LC_ALL": "C"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_SECONDS,
            check=False,
        )
    except FileNotFoundError:
        raise UsageError("git is not installed", code="GIT_FAILED", hint="Install it, or leave out --since.") from None
    except subprocess.TimeoutExpired:
        raise UsageError(f"git gave no answer in {_SECONDS} s", code="GIT_FAILED", hint="Try again.") from None
    if done.returncode != 0:
        if missing is not None:
            return missing
        said = done.stderr.decode(errors="replace").strip().removeprefix("fatal: ")
        raise UsageError(
            f"git, in {folder}: {said.splitlines()[0] if said else 'it failed'}",
            code="GIT_FAILED",
            hint="--since needs migrations that lie in a git repository.",
        )
    text = done.stdout.decode("utf-8", errors="replace")
    return text.strip() if strip else text
