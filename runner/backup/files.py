"""Files that hold all that a database holds: private, whole or not there, and never over another file."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from runner import interruption
from runner.errors import BackupFailed

PARTIAL = ".partial"
_CHUNK = 1 << 20

Told = Callable[[int, int | None], None]  # bytes done, and of how many if that is known


class Partial:
    """A file in the making, ``FINAL.partial``: mode 0600, locked by whoever writes it, and no backup yet."""

    def __init__(self, final: Path, path: Path, descriptor: int) -> None:
        self.final = final
        self.path = path
        self.descriptor = descriptor

    def publish(self) -> None:
        """Give the file its name, all of it being on the disk. BackupFailed if the name is taken."""
        os.fsync(self.descriptor)
        try:
            os.link(self.path, self.final, follow_symlinks=False)  # unlike a rename, it never replaces
        except FileExistsError:
            raise exists(self.final) from None
        except OSError:
            self._rename()  # a file system without hard links
        sync_folder(self.final.parent)

    def _rename(self) -> None:
        """Reserve the name with an empty file of ours, which is no backup, and put the whole one in its place."""
        try:
            os.close(os.open(self.final, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600))
        except FileExistsError:
            raise exists(self.final) from None
        self.path.rename(self.final)


@contextmanager
def partial(final: Path) -> Iterator[Partial]:
    """A new private file beside ``final``. It is gone afterwards, unless it was published under its name."""
    path = final.with_name(final.name + PARTIAL)
    descriptor = _create(path)
    try:
        yield Partial(final, path, descriptor)
    finally:
        _remove(path)
        os.close(descriptor)


def exists(path: Path) -> BackupFailed:
    return BackupFailed(
        f"{path} is there already, and a backup never replaces a file",
        code="BACKUP_EXISTS",
        hint="Give another name, or none: the default one has the time in it.",
    )


def _create(path: Path) -> int:
    """Create and lock. What a killed run left under that name is taken away; what another one writes is not."""
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    while True:
        try:
            descriptor = os.open(path, flags, 0o600)
        except FileExistsError:
            if not remove_abandoned(path):
                raise BackupFailed(
                    f"another run is writing {path}, or it is not ours to remove",
                    code="BACKUP_EXISTS",
                    hint="Let that run end, or give another name.",
                ) from None
            continue
        except OSError as error:
            raise not_written(path, error) from error
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        if _names(path, descriptor):
            return descriptor
        os.close(descriptor)  # another run took it for abandoned between our open and our lock


def remove_abandoned(path: Path) -> bool:
    """Remove a partial file that nobody is writing any more, with what SQLite left beside it; was it one?"""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        return True
    except OSError:
        return False
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            return False
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if _names(path, descriptor):
            _remove(path)
        return True
    except BlockingIOError:
        return False
    finally:
        os.close(descriptor)


def _names(path: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(path.lstat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False


def _remove(path: Path) -> None:
    for end in ("", "-wal", "-shm", "-journal"):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(f"{path}{end}")  # noqa: PTH108  # the harness of the crash tests counts os.unlink


def private_folder(path: Path) -> Path:
    """The folder, made with mode 0700 if it is not there. BackupFailed where others may write into it."""
    try:
        path.mkdir(mode=0o700)
    except FileExistsError:
        pass
    except OSError as error:
        raise not_written(path, error) from error
    found = path.lstat()
    if not stat.S_ISDIR(found.st_mode):
        raise BackupFailed(
            f"{path} is a link or a file, and has to be a folder",
            code="BACKUP_FOLDER_REFUSED",
            hint="Name the folder itself: --backup-dir DIR.",
        )
    if found.st_mode & stat.S_IWOTH or (found.st_mode & stat.S_IWGRP and found.st_gid != os.getegid()):
        raise BackupFailed(
            f"others may write into the folder {path}, and so replace a backup",
            code="BACKUP_FOLDER_REFUSED",
            hint=f"chmod 700 {path}",
        )
    return path


def sync_folder(path: Path) -> None:
    """What was made or named in it survives a power cut."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def open_private(path: Path) -> int:
    """Open a regular file for reading, never through a link. BackupFailed says why not."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        reason = "a link is not followed" if path.is_symlink() else error.strerror
        raise BackupFailed(
            f"{path} cannot be read: {reason}", code="BACKUP_UNREADABLE", hint="See 'maxwell-db backups'."
        ) from error
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise BackupFailed(f"{path} is not a file", code="BACKUP_UNREADABLE", hint="See 'maxwell-db backups'.")
    return descriptor


def checksum(descriptor: int, told: Told | None = None) -> tuple[str, int]:
    """SHA-256 of every byte, and how many there are."""
    size = os.fstat(descriptor).st_size
    digest, done = hashlib.sha256(), 0
    buffer = memoryview(bytearray(_CHUNK))
    while count := os.preadv(descriptor, [buffer], done):
        interruption.check()
        digest.update(buffer[:count])
        done += count
        if told is not None:
            told(done, size)
    return digest.hexdigest(), done


def not_written(path: Path, error: OSError) -> BackupFailed:
    return BackupFailed(
        f"{path} cannot be written: {error.strerror or error}",
        code="BACKUP_NOT_WRITTEN",
        hint="Check the folder, its permissions and the space on the disk.",
    )
