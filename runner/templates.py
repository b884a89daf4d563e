"""Migrated databases for tests: made once for all processes of a test run, and copied in milliseconds."""

from __future__ import annotations

import fcntl
import itertools
import os
import shutil
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from runner.domain.migration import Dialect
from runner.domain.options import ApplyOptions
from runner.domain.outcome import Observer
from runner.domain.url import DatabaseUrl, parse_url
from runner.errors import MaxwellError
from runner.operations.apply import apply
from runner.operations.project import Project
from runner.scratch import server_in

if TYPE_CHECKING:
    from runner.dialects.postgres_templates import Copies

_MARK = ".postgres-template"  # a file with the name of a template database in it


@dataclass(frozen=True)
class Recipe:
    """What a template holds: these migrations, applied up to a target."""

    sql: Path
    dialect: Dialect
    target: str = "head"

    @property
    def key(self) -> str:
        return sha256(f"{self.sql.resolve()}\0{self.dialect}\0{self.target}".encode()).hexdigest()[:16]


class Templates:
    """One process's part in a test run. ``folder`` is shared by all its processes, and removed by whoever made it.

    ``server`` is the URL of a PostgreSQL server on which databases may be made; without one it is the ``pg`` extra's,
    with its data in ``folder``. Whatever an apply raises, and ConnectionFailed, where a copy cannot be made.
    """

    def __init__(self, folder: Path, server: str | None) -> None:
        self._folder, self._server = folder, server
        self._numbers = itertools.count(1)
        self._names: dict[str, str] = {}  # of template databases, by their recipes' keys
        self._failed: dict[str, MaxwellError] = {}  # what does not work once is not tried again for every test
        self._open = ExitStack()
        self._postgres: Copies | None = None

    def copy(self, recipe: Recipe) -> DatabaseUrl:
        """The URL of a database that only the caller has."""
        if recipe.key in self._failed:
            raise self._failed[recipe.key]
        if recipe.dialect == "postgres":
            return self._copies().copy(self._template_database(recipe))
        path = self._folder / f"{os.getpid()}-{next(self._numbers)}.db"
        # The template is closed, so the file is all of it.
        shutil.copyfile(self._template_file(recipe), path)
        return _file_url(path)

    def drop(self, copy: DatabaseUrl) -> None:
        """Take a copy away, whoever still has it open."""
        if copy.path is None:
            self._copies().drop(copy)
            return
        for end in ("", "-wal", "-shm", "-journal", ".maxwell-lock"):
            copy.path.with_name(copy.path.name + end).unlink(missing_ok=True)

    def close(self) -> None:
        self._open.close()

    def _template_file(self, recipe: Recipe) -> Path:
        path = self._folder / f"{recipe.key}.template"
        if not path.exists():
            with self._alone():
                if not path.exists():
                    new = path.with_suffix(".new")
                    new.unlink(missing_ok=True)  # of a process that was killed half way
                    self._migrate(recipe, _file_url(new))
                    new.rename(path)
        return path

    def _template_database(self, recipe: Recipe) -> str:
        if recipe.key not in self._names:
            mark = self._folder / f"{recipe.key}{_MARK}"
            with self._alone():
                name = mark.read_text() if mark.exists() else None
                if name is None or not self._copies().adopt(name):
                    name = self._copies().make_template(lambda url: self._migrate(recipe, url))
                    mark.write_text(name)
            self._names[recipe.key] = name
        return self._names[recipe.key]

    def _copies(self) -> Copies:
        if self._postgres is None:
            from runner.dialects.postgres_templates import Copies, no_durability

            if self._server is not None:
                url = parse_url(self._server)
            else:
                with self._alone("server"):
                    url = self._open.enter_context(server_in(self._folder))
                    no_durability(url)
            self._postgres = Copies(url)
            self._open.callback(self._postgres.close, drop=self._server is not None)
        return self._postgres

    def _migrate(self, recipe: Recipe, url: DatabaseUrl) -> None:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # yoyo's, which are no business of the application's tests
                apply(Project(url, recipe.sql), recipe.target, ApplyOptions(), Observer())
        except MaxwellError as error:
            self._failed[recipe.key] = error
            raise

    @contextmanager
    def _alone(self, what: str = "template") -> Iterator[None]:
        """No other process of the run is in here meanwhile."""
        with (self._folder / f"{what}.alone").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield


def drop_left(folder: Path, server: Callable[[], str | None]) -> None:
    """At the end of a test run: drop its templates on a server that goes on without it."""
    names = [mark.read_text() for mark in folder.glob(f"*{_MARK}")]
    if names and (url := server()) is not None:
        from runner.dialects.postgres_templates import drop_templates

        drop_templates(parse_url(url), names)


def _file_url(path: Path) -> DatabaseUrl:
    return parse_url(f"sqlite:///{quote(str(path))}")
