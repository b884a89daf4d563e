"""Folders of migrations to measure with: many small ones, or one large file."""

from __future__ import annotations

from pathlib import Path

NOTE = "the needle stood still for an hour, and nobody had touched it; noted by the watch, and signed below"

_SMALL = """\
-- Keep readings of probe {number}.
{depends}
CREATE TABLE reading_{number} (
    id INTEGER NOT NULL PRIMARY KEY,
    probe VARCHAR(20) NOT NULL,
    note TEXT
);
CREATE INDEX reading_{number}_probe ON reading_{number} (probe);
INSERT INTO reading_{number} (id, probe, note) VALUES (1, 'north', 'first');
INSERT INTO reading_{number} (id, probe, note) VALUES (2, 'east', 'second');
INSERT INTO reading_{number} (id, probe, note) VALUES (3, 'south', NULL);
INSERT INTO reading_{number} (id, probe, note) VALUES (4, 'west', 'fourth; and last');
"""


def small_migrations(folder: Path, count: int) -> Path:
    """``count`` migrations, each with a table, an index, four rows and its rollback; each depends on the one before."""
    folder.mkdir(parents=True)
    before = ""
    for number in range(1, count + 1):
        id = f"{number:05}_readings_{number}"
        depends = f"-- depends: {before}\n" if before else ""
        (folder / f"{id}.sql").write_text(_SMALL.format(number=number, depends=depends))
        (folder / f"{id}.rollback.sql").write_text(f"DROP TABLE reading_{number};\n")
        before = id
    return folder


def large_migration(folder: Path, megabytes: float) -> Path:
    """One migration of that size: a table, and an INSERT of some 160 bytes for each of its rows."""
    folder.mkdir(parents=True)
    (folder / "00001_readings.rollback.sql").write_text("DROP TABLE reading;\n")
    with (folder / "00001_readings.sql").open("w") as file:
        file.write("-- Readings that were kept on paper.\n")
        file.write("CREATE TABLE reading (id INTEGER NOT NULL PRIMARY KEY, probe VARCHAR(20) NOT NULL, note TEXT);\n")
        number = 0
        while file.tell() < megabytes * 1e6:
            lines = "".join(
                f"INSERT INTO reading (id, probe, note) VALUES ({one}, 'probe-{one % 1000:03}', '{NOTE}');\n"
                for one in range(number, number + 500)
            )
            file.write(lines)
            number += 500
    return folder


def apply_files(folder: Path) -> list[Path]:
    """The apply files of a folder, in their order."""
    return sorted(path for path in folder.glob("*.sql") if not path.name.endswith(".rollback.sql"))
