"""What the role may do on PostgreSQL: change the schema, keep the marks, read everything for a backup."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from runner.doctor.patient import Patient, count_text, listed
from runner.domain.finding import Cure, Finding, Severity, ok, run_sql, words
from runner.domain.quoting import quote_name

#: Every relation whose rows pg_dump reads, and whatever else the current schema has, but what extensions brought.
_RELATIONS = """
SELECT n.nspname::text, c.relname::text, c.relkind::text, n.nspname = current_schema(),
       pg_has_role(c.relowner, 'USAGE'), pg_get_userbyid(c.relowner)::text,
       has_schema_privilege(n.oid, 'USAGE') AND CASE WHEN c.relkind = 'S'
           THEN has_sequence_privilege(c.oid, 'SELECT') ELSE has_table_privilege(c.oid, 'SELECT') END,
       c.relkind = 'S' OR (has_table_privilege(c.oid, 'INSERT') AND has_table_privilege(c.oid, 'UPDATE')
                           AND has_table_privilege(c.oid, 'DELETE')),
       row_security_active(c.oid)
FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE c.relpersistence <> 't' AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')
  AND (c.relkind IN ('r', 'p', 'S') OR (c.relkind IN ('v', 'm', 'f') AND n.nspname = current_schema()))
  AND NOT EXISTS (SELECT FROM pg_depend AS d
                  WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
ORDER BY 1, 2
"""

_ROLE = """
SELECT current_user::text, r.rolsuper, r.rolcreatedb, pg_is_in_recovery(), current_schema()::text,
       coalesce(has_schema_privilege(current_schema(), 'CREATE'), false),
       pg_has_role('pg_read_all_stats', 'USAGE'),
       (SELECT reset_val = 'on' FROM pg_settings WHERE name = 'default_transaction_read_only'),
       current_database()::text
FROM pg_roles AS r WHERE r.rolname = current_user
"""

_KINDS = {"r": "TABLE", "p": "TABLE", "S": "SEQUENCE", "v": "VIEW", "m": "MATERIALIZED VIEW", "f": "FOREIGN TABLE"}
_BOOKKEEPING = ("_yoyo", "yoyo_lock", "_maxwell")


@dataclass(frozen=True)
class _Relation:
    """A relation, and what the role may do with it."""

    schema: str
    name: str
    kind: str
    current: bool  # of the current schema
    owned: bool
    owner: str
    readable: bool
    writable: bool
    filtered: bool  # row level security hides rows of it from the role

    @property
    def sql(self) -> str:
        return f"{quote_name(self.schema)}.{quote_name(self.name)}"

    @property
    def bookkeeping(self) -> bool:
        return self.current and self.kind == "r" and self.name.startswith(_BOOKKEEPING)


@dataclass(frozen=True)
class Role:
    """Who is connected to what, and what they may do there."""

    name: str
    superuser: bool
    may_create_databases: bool
    standby: bool
    schema: str | None
    may_create: bool  # in the schema
    sees_all: bool  # of what other sessions do
    read_only: bool
    database: str

    @property
    def sql(self) -> str:
        return quote_name(self.name)


def look(patient: Patient) -> Iterator[Finding]:
    (row,) = patient.query(_ROLE)
    role = Role(*row)
    yield from judge_role(role)
    relations = [_Relation(*row) for row in patient.query(_RELATIONS)]
    yield from _changing(relations, role)
    yield from _reading(relations, role, patient.server_version)


def judge_role(role: Role) -> Iterator[Finding]:
    """What the role may do apart from any table."""
    if role.standby:
        yield Finding(
            "standby",
            Severity.ERROR,
            "the server is a standby, which takes no changes",
            words("Connect to the primary; with several hosts in the URL: ?target_session_attrs=read-write"),
        )
    if role.read_only:
        cure = run_sql(f"ALTER ROLE {role.sql} SET default_transaction_read_only = off;")
        yield Finding("read-only-session", Severity.ERROR, f"sessions of {role.name} are read-only by default", cure)
    if role.schema is None:
        yield Finding(
            "no-schema",
            Severity.ERROR,
            f"the search_path of {role.name} names no schema that is there",
            words("Name one in the URL (?schema=NAME), or make it: CREATE SCHEMA NAME;"),
        )
    elif role.may_create:
        yield ok("may-create", f"{role.name} may create in the schema {role.schema}")
    else:
        yield Finding(
            "may-not-create",
            Severity.ERROR,
            f"{role.name} may not create in the schema {role.schema}",
            run_sql(f"GRANT CREATE ON SCHEMA {quote_name(role.schema)} TO {role.sql};"),
            role.schema,
        )
    if not (role.superuser or role.may_create_databases):
        yield Finding(
            "may-not-create-database",
            Severity.INFO,
            f"{role.name} may not create databases, as rehearsals, tests of backups and scratch databases do",
            run_sql(f"ALTER ROLE {role.sql} CREATEDB;"),
        )
    if not role.sees_all:
        yield Finding(
            "may-not-see-others",
            Severity.INFO,
            f"{role.name} does not see what other roles' sessions do: a run that waits cannot say for whom",
            run_sql(f"GRANT pg_read_all_stats TO {role.sql};"),
        )


def _changing(relations: list[_Relation], role: Role) -> Iterator[Finding]:
    records = [one for one in relations if one.bookkeeping and not (one.readable and one.writable)]
    if records:
        grants = [f"GRANT SELECT, INSERT, UPDATE, DELETE ON {one.sql} TO {role.sql};" for one in records]
        message = f"{role.name} may not write the records of migrations: {listed([one.name for one in records])}"
        yield Finding("may-not-record", Severity.ERROR, message, run_sql("\n".join(grants)))
    foreign = [one for one in relations if one.current and not one.owned and not one.bookkeeping]
    if foreign:
        owners = ", ".join(sorted({one.owner for one in foreign}))
        yield Finding(
            "not-owner",
            Severity.WARN,
            f"{role.name} does not own {count_text(len(foreign), 'object')} of the schema ({owners} does): a migration "
            f"that alters or drops one fails: {listed([one.name for one in foreign])}",
            run_sql("\n".join(f"ALTER {_KINDS[one.kind]} {one.sql} OWNER TO {role.sql};" for one in foreign)),
            data={"objects": [one.name for one in foreign], "owners": sorted({one.owner for one in foreign})},
        )
    elif any(one.current for one in relations):
        yield ok("owner", f"{role.name} owns the schema's tables, or belongs to who does")


def _reading(relations: list[_Relation], role: Role, server: int) -> Iterator[Finding]:
    hidden = [one for one in relations if not one.readable and one.kind in "rpS"]
    if hidden:
        narrow = "\n".join(_grant(one, role.sql) for one in hidden)
        cure = run_sql(f"GRANT pg_read_all_data TO {role.sql};" if server >= 140000 else narrow)
        yield _unreadable("may-not-read-all", hidden, f"{role.name} may not read", "pg_dump stops there", cure, role)
    filtered = [one for one in relations if one.readable and one.filtered]
    if filtered:
        cure = run_sql(f"ALTER ROLE {role.sql} BYPASSRLS;")
        text = "row level security hides rows from"
        yield _unreadable(
            "rows-hidden", filtered, f"{text} {role.name} in", "pg_dump refuses to leave them out", cure, role
        )
    if not hidden and not filtered:
        yield ok("may-read-all", f"{role.name} may read every table, as a backup does")


def _grant(one: _Relation, role: str) -> str:
    what = "SEQUENCE" if one.kind == "S" else "TABLE"
    return f"GRANT USAGE ON SCHEMA {quote_name(one.schema)} TO {role}; GRANT SELECT ON {what} {one.sql} TO {role};"


def _unreadable(id: str, which: list[_Relation], what: str, then: str, cure: Cure, role: Role) -> Finding:
    names = [one.name if one.current else f"{one.schema}.{one.name}" for one in which]
    return Finding(
        id,
        Severity.ERROR,
        f"{what} {count_text(len(which), 'table')} of the database {role.database}, and {then}: {listed(names)}",
        cure,
        data={"tables": names},
    )
