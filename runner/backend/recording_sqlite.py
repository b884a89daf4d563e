"""The script of a run on SQLite, for the program ``sqlite3``."""

from __future__ import annotations

from runner.backend.recording import Expression, Recording, bookkeeping
from runner.backend.sqlite import SqliteBackend
from runner.dialects.sqlite import BUSY_SECONDS
from runner.domain.migration import Script
from runner.ledger import LEDGER

#: The schema as a number: every object's text, bookkeeping left out. SQLite has no function that makes a digest.
STATE = r"""
WITH RECURSIVE object (text, place, sum) AS (
    SELECT type || name || coalesce(sql, ''), 1, 7 FROM sqlite_master
    WHERE name NOT LIKE 'sqlite\_%' ESCAPE '\' AND tbl_name NOT LIKE '\_yoyo%' ESCAPE '\'
      AND tbl_name NOT IN ('yoyo_lock', '_maxwell_ledger')
    UNION ALL
    SELECT text, place + 1, (sum * 33 + unicode(substr(text, place, 1))) % 1000000007 FROM object
    WHERE place <= length(text)
)
SELECT coalesce(sum(sum), 0) FROM object WHERE place > length(text)
""".strip()

_SETUP = f"""
.bail on
.timeout {int(BUSY_SECONDS * 1000)}
PRAGMA foreign_keys = OFF;
CREATE TEMP TABLE maxwell_plan (what TEXT, holds INTEGER);
CREATE TEMP TRIGGER maxwell_plan_state BEFORE INSERT ON maxwell_plan WHEN NEW.what = 'state' AND NEW.holds IS NOT 1
BEGIN
    SELECT RAISE(ABORT, 'the database is not in the state that this plan was made for; make a new one');
END;
CREATE TEMP TRIGGER maxwell_plan_keys BEFORE INSERT ON maxwell_plan WHEN NEW.what = 'keys' AND NEW.holds IS NOT 1
BEGIN
    SELECT RAISE(ABORT, 'the migration leaves rows without a parent');
END;
""".strip()
_ORPHANS = 'SELECT "table" AS child, parent, count(*) AS number FROM pragma_foreign_key_check GROUP BY 1, 2'
_GROWN = f"""
INSERT INTO maxwell_plan SELECT 'keys', count(*) = 0
FROM ({_ORPHANS}) AS now LEFT JOIN temp.maxwell_orphans AS before USING (child, parent)
WHERE now.number > coalesce(before.number, 0);
DROP TABLE temp.maxwell_orphans;
""".strip()


class SqliteRecording(Recording, SqliteBackend):
    now = Expression("strftime('%Y-%m-%dT%H:%M:%f000', 'now')")
    log_id = Expression(
        "lower(hex(randomblob(4)) || '-' || hex(randomblob(2)) || '-4' || substr(hex(randomblob(2)), 2) || '-a' ||"
        " substr(hex(randomblob(2)), 2) || '-' || hex(randomblob(6)))"
    )
    newest_first = "rowid DESC"
    user = "plan"
    duration = None

    def setup(self, state: str, *, check_keys: bool) -> None:
        """The shell's settings, and the guards; then the first look at the database.

        ``check_keys``: look for rows without a parent, which SQLite cannot if some key fits no parent.
        """
        self._check_keys = check_keys
        self.lines += [_SETUP, ""]
        names = " ".join(bookkeeping(self.present))
        self.hold(f"(SELECT coalesce(group_concat(name, ' '), '') FROM ({_NAMES})) = {self.literal(names)}")
        self.hold(f"({STATE}) = {self.literal(int(state))}")
        if self.migration_table in self.present:
            self.guard()

    def finish(self) -> None:
        """Nothing: what is temporary ends with the connection."""

    def hold(self, condition: str) -> None:
        self.lines.append(f"INSERT INTO maxwell_plan SELECT 'state', {condition};")

    def guard(self) -> None:
        marks = "SELECT migration_id FROM _yoyo_migration ORDER BY migration_id"
        self.hold(f"(SELECT coalesce(group_concat(migration_id, ' '), '') FROM ({marks})) = {self.expected_marks()}")
        self.hold("(SELECT count(*) FROM yoyo_lock) = 0")
        if self._in_transaction or LEDGER in self.present:
            self.hold(f"(SELECT count(*) FROM {LEDGER} WHERE operation = 'unfinished') = 0")

    def begin(self) -> None:
        self.lines.append("BEGIN IMMEDIATE;")
        self._in_transaction = True

    def run_script(self, script: Script) -> None:
        if self._check_keys:
            self.lines.append(f"CREATE TEMP TABLE maxwell_orphans AS {_ORPHANS};")
        self.lines.append("")
        super().run_script(script)

    def after_script(self, script: Script) -> None:
        self.lines += ["", *([_GROWN] if self._check_keys else [])]


_NAMES = r"""SELECT name FROM sqlite_master WHERE type = 'table'
    AND (name LIKE '\_yoyo\_%' ESCAPE '\' OR name LIKE 'yoyo\_lock%' ESCAPE '\' OR name = '_maxwell_ledger')
    ORDER BY name"""
