"""Where the database stands: read-only, without yoyo, and without reading the files that are as they were."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Any

from runner.dialects import connect
from runner.errors import MaxwellError
from runner.ledger import read_records
from runner.sources.place import dialect_folder_name
from runner.sources.unread import Unread, unread_files

if TYPE_CHECKING:
    from runner.domain.migration import Migration
    from runner.domain.state import Standing
    from runner.domain.url import DatabaseUrl


def status(url: DatabaseUrl, sql: str, *, read_files: bool = False) -> Standing:
    """Each migration and its state. Writes nothing, takes no lock, creates no file.

    A file that has size, times and place as when it was applied is taken for the same one, unless ``read_files``.
    """
    folder = dialect_folder_name(sql, url.dialect)
    with closing(_connection(url, folder)) as connection:
        records = read_records(connection, url.dialect)
        unread, is_more = unread_files(folder, records.rows, read=read_files)
        migrations: tuple[Migration, ...] = ()
        if is_more or not unread:
            from pathlib import Path

            from runner.sources.folder import read_folder

            known = tuple(Unread.of(records.rows[id], Path(folder)) for id in unread)
            migrations = read_folder(Path(folder), url.dialect, unread=known)
        return records.stand(connection, url.dialect, migrations, unread)


def _connection(url: DatabaseUrl, folder: str) -> Any:
    """To read from. What is wrong with the files is told before what is wrong with the database, as everywhere."""
    try:
        return connect(url, read_only=True)
    except MaxwellError:
        from pathlib import Path

        from runner.sources.folder import read_folder

        read_folder(Path(folder), url.dialect)
        raise
