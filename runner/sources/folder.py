"""Read the migrations of one dialect, strictly: a folder with anything doubtful in it is refused as a whole.

The order is yoyo's: by name, each migration after those it depends on. Names that do not sort as they depend are
refused, so that the listing of the folder, yoyo's order and ours are always one and the same.
"""

from __future__ import annotations

import os
import re
import stat
import time
from collections.abc import Callable, Collection
from hashlib import sha256
from pathlib import Path

from runner.domain.migration import Dialect, Migration, Script
from runner.domain.sql import has_statement, line_of, statements
from runner.errors import FolderError, UsageError
from runner.sources.file_stat import settled_stat
from runner.sources.guard import is_suspect, refuse_transaction_control
from runner.sources.header import read_header, refuse_directives
from runner.sources.order import Ordered, check_order, check_unique
from runner.sources.place import APPLY, ROLLBACK, is_hidden
from runner.sources.refusal import Refuse, refusal, stop

_LARGE_BYTES = 1_000_000

# What yoyo, a shell, a URL and a terminal all take as one plain word. yoyo keeps ids in VARCHAR(255).
_ID = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+-]{0,254}")


def read_folder(
    folder: Path, dialect: Dialect, refuse: Refuse = stop, unread: Collection[Ordered] = ()
) -> tuple[Migration, ...]:
    """Every migration of a dialect folder, oldest first. FolderError for whatever could be misunderstood.

    Where ``refuse`` lets problems pass, what can be read is returned without what cannot. ``unread`` are known to be as
    they were when they were applied: they are not returned, and the others are read in the order that all of them have.
    """
    applies, rollbacks = _pairs(folder, refuse)
    known = {one.id for one in unread}
    new = sorted(applies - known)
    pairs = (_read_pair(folder, id, dialect, refuse, has_rollback=id in rollbacks) for id in new)
    migrations = tuple(pair for pair in pairs if pair is not None)
    for id in sorted(rollbacks - applies):
        refuse(
            refusal(
                folder / f"{id}{ROLLBACK}",
                "ORPHAN_ROLLBACK",
                f"a rollback without its migration {id}{APPLY}",
                "Add the migration, or remove the rollback.",
            )
        )
    if not applies:
        raise FolderError(
            f"no migrations in {folder}", code="NO_MIGRATIONS", hint="Name another folder with --sql DIR."
        )
    ordered = sorted((*migrations, *unread), key=lambda one: one.id) if unread else migrations
    check_order(ordered, applies, refuse)
    check_unique(ordered, refuse)
    return migrations


def _pairs(folder: Path, refuse: Refuse) -> tuple[set[str], set[str]]:
    """The ids of the apply files and of the rollback files; one look at the folder."""
    applies: set[str] = set()
    rollbacks: set[str] = set()
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError as error:
        raise UsageError(
            f"cannot read the folder {folder}: {error.strerror}", code="NO_SUCH_FOLDER", hint="Check its permissions."
        ) from error
    for entry in entries:
        name = entry.name
        if is_hidden(name):
            continue
        if not entry.is_file(follow_symlinks=False):
            kind = "a link" if entry.is_symlink() else "a folder" if entry.is_dir() else "not a regular file"
            refuse(
                refusal(folder / name, "UNEXPECTED_FILE", f"{kind} among the migrations", "Move it out of this folder.")
            )
            continue
        if name.endswith(".py"):
            refuse(
                refusal(
                    folder / name,
                    "PYTHON_MIGRATION",
                    "a Python file among the migrations: yoyo would execute it",
                    "Write the migration in SQL, and move everything else out of this folder.",
                )
            )
            continue
        is_rollback = name.endswith(ROLLBACK)
        id = name.removesuffix(ROLLBACK if is_rollback else APPLY)
        if not name.endswith(APPLY) or not _ID.fullmatch(id):
            refuse(
                refusal(
                    folder / name,
                    "UNEXPECTED_FILE",
                    "not a migration's name, and yoyo would pass it over or misread it",
                    "A migration is NAME.sql and NAME.rollback.sql; NAME has letters, digits, '_', '-', '.' and '+'.",
                )
            )
            continue
        if id.startswith("post-apply"):
            refuse(
                refusal(
                    folder / name,
                    "UNEXPECTED_FILE",
                    "a hook of yoyo's among the migrations",
                    "Keep hooks in a folder of their own and name it as a second source in yoyo.ini.",
                )
            )
            continue
        (rollbacks if is_rollback else applies).add(id)
    return applies, rollbacks


def _read_pair(folder: Path, id: str, dialect: Dialect, refuse: Refuse, *, has_rollback: bool) -> Migration | None:
    try:
        apply = _read_script(folder / f"{id}{APPLY}", dialect)
    except FolderError as problem:
        refuse(problem)
        return None
    header = read_header(apply, dialect, refuse)
    rollback = None
    if has_rollback:
        try:
            rollback = _read_script(folder / f"{id}{ROLLBACK}", dialect)
        except FolderError as problem:
            refuse(problem)
        else:
            refuse_directives(rollback, dialect, refuse)
        if header.irreversible:
            refuse(
                refusal(
                    folder / f"{id}{ROLLBACK}",
                    "BAD_DIRECTIVE",
                    f"a rollback file, though {id}{APPLY} says that it is irreversible",
                    "Remove the file, or the line '-- irreversible:'.",
                )
            )
    elif not header.irreversible:
        refuse(
            refusal(
                apply.path,
                "MISSING_ROLLBACK",
                f"{id}{ROLLBACK} is missing",
                "Write it; or say in the header why there is no way back: '-- irreversible: reason'.",
            )
        )
    for script in filter(None, (apply, rollback)):
        refuse_transaction_control(script, dialect, refuse, transactional=header.transactional)
        if not header.transactional:
            _refuse_several_statements(script, dialect, refuse)
    return Migration(
        id=id,
        dialect=dialect,
        apply=apply,
        rollback=rollback,
        depends=header.depends,
        transactional=header.transactional,
        version=header.version,
        revision=header.revision,
        irreversible=header.irreversible,
        expect_row_loss=header.expect_row_loss,
        dialects=header.dialects,
    )


def _read_script(path: Path, dialect: Dialect) -> Script:
    """Read a file as bytes and refuse what the two databases, or two machines, would take differently."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
        with os.fdopen(descriptor, "rb", buffering=0) as file:
            mode = os.fstat(descriptor).st_mode
            if not stat.S_ISREG(mode):
                raise refusal(path, "UNEXPECTED_FILE", "not a regular file", "Move it out of this folder.")
            if mode & stat.S_IWOTH:
                raise refusal(path, "WORLD_WRITABLE", "can be changed by everybody on this machine", "chmod o-w it.")
            seen = settled_stat(os.fstat(descriptor), time.time())
            data = file.read()
    except OSError as error:
        raise refusal(path, "UNREADABLE_FILE", f"cannot be read: {error.strerror}", "Check its permissions.") from error
    if data.startswith((b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")):
        mark = "a UTF-8 byte order mark" if data.startswith(b"\xef") else "UTF-16"
        raise refusal(path, "BAD_ENCODING", f"begins with {mark}", "Save it as UTF-8 without a byte order mark.", 1)
    for byte, name in ((b"\0", "a NUL byte"), (b"\r", "a carriage return")):
        if byte in data:
            raise refusal(
                path,
                "BAD_ENCODING",
                f"has {name} at byte {data.index(byte)}",
                "Save it with line feeds alone (in git: '*.sql text eol=lf' in .gitattributes)."
                if byte == b"\r"
                else "Remove it; no SQL text can hold one.",
                data.count(b"\n", 0, data.index(byte)) + 1,
            )
    digest = _digest(data)
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise refusal(
            path,
            "BAD_ENCODING",
            f"is not UTF-8 at byte {error.start}",
            "Save it as UTF-8.",
            data.count(b"\n", 0, error.start) + 1,
        ) from error
    if not has_statement(text, dialect):
        raise refusal(path, "EMPTY_FILE", "has no statement", "Write one, or remove the pair.")
    suspect = is_suspect(text)
    return Script(path, text, seen, digest(), suspect)


def _digest(data: bytes) -> Callable[[], str]:
    """The SHA-256, which of a large file another thread makes, while its text is looked at."""
    if len(data) < _LARGE_BYTES:
        return sha256(data).hexdigest
    from threading import Thread

    digests: list[str] = []
    thread = Thread(target=lambda: digests.append(sha256(data).hexdigest()), daemon=True)
    thread.start()

    def digest() -> str:
        thread.join()
        return digests[0]

    return digest


def _refuse_several_statements(script: Script, dialect: Dialect, refuse: Refuse) -> None:
    found = list(statements(script.text, dialect))
    if len(found) > 1:
        refuse(
            refusal(
                script.path,
                "NOT_ONE_STATEMENT",
                f"runs outside a transaction and has {len(found)} statements: it could be left half done",
                "Keep exactly one statement in it, and give each other one a migration of its own.",
                line_of(script.text, found[1].start),
            )
        )
