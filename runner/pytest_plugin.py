"""pytest's plugin: ``maxwell_database`` is a migrated database for each test of an application.

The migrations run once in a test run; each test gets a copy. Nothing is imported before a test asks for one.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

import pytest

if TYPE_CHECKING:
    from runner.domain.url import DatabaseUrl
    from runner.templates import Templates

Dialect = Literal["sqlite", "postgres"]

_OPTIONS = {
    "sql": ("DIR", "the migrations; otherwise 'sql' of yoyo.ini's section [maxwell-db], or the folder sql"),
    "dialect": ("NAME", "sqlite (the default), postgres, or both: then each test runs on each"),
    "target": ("T", "how far to migrate: head (the default), a version, a revision or an id"),
    "postgres_url": ("URL", "a PostgreSQL server on which databases may be made; otherwise the pg extra's"),
}


@dataclass
class MaxwellDatabase:
    """A migrated database that one test has for itself."""

    dialect: Dialect
    url: str = field(repr=False)  # as SQLAlchemy and libpq take it; it may have a password
    path: Path | None  # the SQLite file; None for PostgreSQL
    _url: DatabaseUrl = field(repr=False)
    _open: ExitStack = field(repr=False, default_factory=ExitStack)

    def connect(self) -> Any:
        """A new connection, of ``sqlite3`` or ``psycopg2``; closed after the test.

        Each statement is committed at once, so that the application sees it. SQLite's foreign keys are enforced.
        """
        from runner.dialects import connect

        connection = connect(self._url, what="tests")
        self._open.callback(connection.close)
        if self.dialect == "sqlite":
            connection.execute("PRAGMA foreign_keys = ON")
        return connection


MakeDatabase = Callable[..., MaxwellDatabase]


@pytest.fixture
def maxwell_dialect(pytestconfig: pytest.Config) -> str:
    """The dialect of ``maxwell_database``. A test, class or module may have its own, by a fixture or a parameter."""
    return _dialects(pytestconfig)[0]


@pytest.fixture
def maxwell_database(maxwell_database_factory: MakeDatabase, maxwell_dialect: str) -> MaxwellDatabase:
    """A migrated database for this test alone: ``.url``, ``.path``, ``.dialect``, ``.connect()``."""
    return maxwell_database_factory(maxwell_dialect)


@pytest.fixture
def maxwell_database_factory(_maxwell_templates: Templates, pytestconfig: pytest.Config) -> Iterator[MakeDatabase]:
    """A function that makes databases for this test: ``make(dialect, target=..., sql=...)``."""
    from runner.errors import MaxwellError
    from runner.templates import Recipe

    made: list[MaxwellDatabase] = []

    def make(
        dialect: str | None = None, *, target: str | None = None, sql: str | os.PathLike[str] | None = None
    ) -> MaxwellDatabase:
        chosen = _as_dialect(dialect or _dialects(pytestconfig)[0])
        try:
            folder = pytestconfig.rootpath / sql if sql is not None else _sql(pytestconfig)
            recipe = Recipe(folder, chosen, target or _setting(pytestconfig, "target") or "head")
            url = _maxwell_templates.copy(recipe)
        except MaxwellError as error:
            pytest.fail(_message(error), pytrace=False)
        made.append(MaxwellDatabase(chosen, url.text, url.path, url))
        return made[-1]

    yield make
    for database in made:
        database._open.close()
        _maxwell_templates.drop(database._url)


@pytest.fixture(scope="session")
def _maxwell_templates(pytestconfig: pytest.Config) -> Iterator[Templates]:
    from runner.errors import MaxwellError
    from runner.templates import Templates

    try:
        templates = Templates(_folder(pytestconfig), _server(pytestconfig))
    except MaxwellError as error:
        pytest.fail(_message(error), pytrace=False)
    yield templates
    templates.close()


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("maxwell-db", "migrated databases (maxwell-db)")
    for name, (metavar, text) in _OPTIONS.items():
        group.addoption(f"--maxwell-{name.replace('_', '-')}", metavar=metavar, help=f"maxwell_database: {text}")
        parser.addini(f"maxwell_{name}", f"maxwell_database: {text}", default="")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """With ``both``, each test that uses the fixture runs on each dialect."""
    marks = metafunc.definition.iter_markers("parametrize")
    own = any("maxwell_dialect" in str(mark.args[0] if mark.args else mark.kwargs.get("argnames")) for mark in marks)
    if "maxwell_dialect" in metafunc.fixturenames and not own:
        dialects = _dialects(metafunc.config)
        if len(dialects) > 1:
            metafunc.parametrize("maxwell_dialect", dialects)


# Processes: the one that the user started makes the folder of the run, once it is asked for, and takes it away at the
# end, with the server in it. Workers of pytest-xdist are told where it is.

_FOLDER = pytest.StashKey[Path]()
_AT_END = pytest.StashKey[ExitStack]()


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """pytest-xdist's: what a worker has to know."""
    node.workerinput["maxwell_folder"] = str(_folder(node.config))


def pytest_unconfigure(config: pytest.Config) -> None:
    if _AT_END in config.stash:
        from runner.templates import drop_left

        try:
            drop_left(config.stash[_FOLDER], lambda: _server(config))
        finally:
            config.stash[_AT_END].close()


def _folder(config: pytest.Config) -> Path:
    told = getattr(config, "workerinput", {}).get("maxwell_folder")
    if told is not None:
        return Path(told)
    if _FOLDER not in config.stash:
        from runner.scratch import private_folder

        config.stash[_AT_END] = ExitStack()
        config.stash[_FOLDER] = config.stash[_AT_END].enter_context(private_folder(in_memory=True))
    return config.stash[_FOLDER]


# Settings: a flag, then pytest's ini file, then what the tool itself would read.


def _setting(config: pytest.Config, name: str) -> str | None:
    return config.getoption(f"maxwell_{name}") or str(config.getini(f"maxwell_{name}")) or None


def _dialects(config: pytest.Config) -> tuple[str, ...]:
    given = _setting(config, "dialect") or "sqlite"
    return get_args(Dialect) if given == "both" else (_as_dialect(given),)


def _as_dialect(name: str) -> Dialect:
    for dialect in get_args(Dialect):
        if name == dialect:
            return dialect  # type: ignore[no-any-return]
    raise pytest.UsageError(f"maxwell_dialect: '{name}' is neither sqlite nor postgres nor both")


def _sql(config: pytest.Config) -> Path:
    from runner.errors import UsageError

    given = _setting(config, "sql") or os.environ.get("MAXWELL_DB_SQL") or _tool_settings(config).get("sql") or "sql"
    folder = config.rootpath / given
    if not folder.is_dir():
        raise UsageError(
            f"there are no migrations in {folder}",
            code="NO_SUCH_FOLDER",
            hint="Name their folder, seen from the folder of pytest's ini file: maxwell_sql = DIR.",
        )
    return folder


def _server(config: pytest.Config) -> str | None:
    given = _setting(config, "postgres_url") or os.environ.get("MAXWELL_DB_SCRATCH")
    return given or _tool_settings(config).get("scratch")


def _tool_settings(config: pytest.Config) -> dict[str, str]:
    from runner.config import FILE, read_settings

    file = config.rootpath / FILE
    return read_settings(str(file)) if file.is_file() else {}


def _message(error: Any) -> str:
    """What the tool would print."""
    hint = error.hint or ""
    if error.code == "SCRATCH_UNAVAILABLE":
        hint = "Name a PostgreSQL server with maxwell_postgres_url, or install one: pip install 'maxwell-db[pg]'."
    return f"{error.place}{error.message}\n{hint}"
