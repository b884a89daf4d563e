"""A page of the manual, followed word for word: its files are written, its commands typed, their output compared."""

from __future__ import annotations

import getpass
import os
import re
import socket
import subprocess
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

WRITING = bool(os.environ.get("MAXWELL_WRITE_DOCS"))  # write what is printed into the page, instead of comparing it
FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
BACKUP = re.compile(r"\b[\w.]+-\d{8}T\d{6}Z-[0-9a-f]{6}\.(?:sqlite|dump)\b")
STAMP = re.compile(r"\b\d{8}_\d{4}_(?=[a-z]+[0-9]?[a-z]*_)")  # what 'new' puts before a name: the reader's is another
WHO = {f"{getpass.getuser()}@{socket.gethostname()}": "ada@lib"}  # whom the pages show
PATIENCE = 300  # seconds for a page: a command that hangs must not hang the tests


@dataclass(frozen=True)
class Block:
    """A fenced block, the heading it stands under, and the line before it."""

    heading: str
    language: str
    text: str
    before: str
    start: int  # where it begins in the page, and where it ends
    end: int

    @property
    def file(self) -> str | None:
        """The name of the file that the reader is to write: the line before the block is that name, and no more."""
        named = re.fullmatch(r"`([\w./-]+)`:", self.before)
        return named[1] if named else None


def blocks(page: str) -> Iterator[Block]:
    for match in FENCE.finditer(page):
        headings = re.findall(r"^#+ (.*)$", page[: match.start()], re.MULTILINE)
        before = page[: match.start()].rstrip().splitlines()
        yield Block(headings[-1] if headings else "", match[1], match[2], before[-1] if before else "", *match.span())


def commands(transcript: str) -> list[tuple[str, str]]:
    """Each command of a console's block, and what it prints."""
    parts = re.split(r"^\$ ", transcript, flags=re.MULTILINE)[1:]
    return [(part.partition("\n")[0], part.partition("\n")[2]) for part in parts]


def timeless(text: str, names: Mapping[str, str] | None = None) -> str:
    """Without what differs from run to run, or from machine to machine.

    Names of backups, times, durations, sizes, checksums, who and where, versions of servers, the width that they give a
    column. ``names`` are what stands in the page for what is there.
    """
    for there, said in (names or {}).items():
        text = text.replace(there, said)
    text = STAMP.sub("STAMP_", BACKUP.sub("BACKUP", text))
    text = re.sub(r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d(:\d\d(\.\d+Z)?)?( UTC)?", "TIME", text)
    text = re.sub(r"\b\d+(\.\d+)? ms|\b\d+\.\d\d? s\b", "DURATION", text)
    text = re.sub(r"^\d+ (s|min)\b", "AGE", text, flags=re.MULTILINE)
    text = re.sub(r"\b\d+(\.\d+)? (B|kB|MB)\b", "SIZE", text)
    text = re.sub(r"sha256 [0-9a-f]{12,64}|\b[0-9a-f]{12}$", "SUM", text, flags=re.MULTILINE)
    text = re.sub(r"\b[\w.-]+@[\w.-]+(?=  | *$)", "WHO", text, flags=re.MULTILINE)
    text = re.sub(r"\b(SQLite|PostgreSQL) \d+(\.\d+)+", r"\1 VERSION", text)
    return re.sub(r" +", " ", re.sub(r" +$", "", text, flags=re.MULTILINE))


def newest_backup(text: str, folder: Path) -> str:
    """A text of the page; a backup that it names is the newest one of ``folder``."""
    if not BACKUP.search(text):
        return text
    manifests = sorted(folder.glob("backups/*.json"), key=lambda path: path.stat().st_mtime_ns)
    return BACKUP.sub(manifests[-1].stem, text) if manifests else text


class Desk:
    """One shell, as somebody sits before it while reading a page; ``folder`` is where it begins."""

    def __init__(self, folder: Path, env: Mapping[str, str], names: Mapping[str, str] | None = None) -> None:
        self.names = dict(names or {})
        self._shell = subprocess.Popen(
            ["bash", "--noprofile", "--norc"],
            cwd=folder,
            env=dict(env),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._watch = threading.Timer(PATIENCE, self._shell.kill)
        self._watch.start()

    def close(self) -> None:
        """End the shell."""
        self._watch.cancel()
        self._shell.communicate()

    def run(self, command: str) -> str:
        """What a line prints, on stdout and stderr; the next line knows its exit status as ``$?``."""
        return self._run(self._here(command))

    def write(self, name: str, text: str) -> None:
        """Write a file where the shell is."""
        path = self.folder() / self._here(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(self._here(text))

    def folder(self) -> Path:
        """Where the shell is."""
        return Path(self._run("last=$?; pwd; (exit $last)").strip())

    def _run(self, command: str) -> str:
        assert self._shell.stdin and self._shell.stdout
        # The line may change folder and variables, but has nothing to read; the mark does not cost it its status.
        self._shell.stdin.write(f"{{ {command}\n}} </dev/null; was=$?; printf '\\n=DONE=\\n'; (exit $was)\n")
        self._shell.stdin.flush()
        printed = ""
        while not printed.endswith("\n=DONE=\n"):
            line = self._shell.stdout.readline()
            assert line, f"{command}: the shell has ended\n{printed}"
            printed += line
        return printed.removesuffix("\n=DONE=\n")

    def _here(self, text: str) -> str:
        """A text of the page, with the names that things have here: the newest backup, this reader's migrations."""
        text = newest_backup(text, self.folder())
        for stamp, name in set(re.findall(rf"({STAMP.pattern})(\w+)", text)):
            there = {path.stem for path in self.folder().rglob(f"*_{name}.sql")}
            assert len(there) <= 1, f"{stamp}{name}: {there}"
            for id in there:  # none: it is not the reader's
                text = text.replace(stamp + name, id)
        return text


@contextmanager
def desk(folder: Path, env: Mapping[str, str], names: Mapping[str, str] | None = None) -> Iterator[Desk]:
    """A shell for as long as it is needed; ``names`` are what stands in the page for what is there."""
    sitting = Desk(folder, env, names)
    try:
        yield sitting
    finally:
        sitting.close()


def follow(page: Path, sitting: Desk) -> int:
    """Do what a page says, from top to bottom; the number of commands.

    A block under a line that is a file's name in backquotes and a colon is written to that file; a console's block is
    typed. ``MAXWELL_WRITE_DOCS=1`` writes into the page what was printed.
    """
    text = page.read_text()
    ran, written, kept = 0, "", 0  # up to where the page is written
    for block in blocks(text):
        if block.file:
            sitting.write(block.file, block.text)
        elif block.language == "console":
            written += f"{text[kept : block.start]}```console\n"
            for command, expected in commands(block.text):
                typed = newest_backup(command, sitting.folder()) if WRITING else command
                printed = sitting.run(typed)
                if not WRITING:
                    assert timeless(printed, sitting.names) == timeless(expected), f"{page.name}: {command}"
                written += _as_said(f"$ {typed}\n{printed}", sitting.names, text)
                ran += 1
            written, kept = f"{written}```", block.end
    if WRITING:
        page.write_text(written + text[kept:])
    return ran


def _as_said(printed: str, names: Mapping[str, str], page: str) -> str:
    """What was printed, with the names that the page uses."""
    for there, said in names.items():
        printed = printed.replace(there, said)
    printed = re.sub(r"[ \t]+$", "", printed, flags=re.MULTILINE)
    for stamp, rest in set(re.findall(rf"({STAMP.pattern})(\w+)", printed)):
        named = re.search(rf"^`[\w./-]*?(\d{{8}}_\d{{4}}_{rest})\.", page, re.MULTILINE)
        if named:
            printed = printed.replace(stamp + rest, named[1])
    return printed
