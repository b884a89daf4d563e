"""PostgreSQL's catalog: the tables of current_schema(), and the foreign keys that they declare."""

from __future__ import annotations

from collections.abc import Collection

from verify.catalog import Catalog, ForeignKey, Table, is_ignored
from verify.errors import VerifyError
from verify.reader import Reader

_SCHEMA = "SELECT current_schema()"

_RELATIONS = """
SELECT c.relname::text, c.relkind::text, c.relispartition, pg_catalog.pg_relation_size(c.oid),
       coalesce((SELECT array_agg(a.attname::text ORDER BY a.attnum) FROM pg_catalog.pg_attribute AS a
                 WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped), '{}'),
       coalesce((SELECT array_agg(a.attname::text ORDER BY k.place) FROM pg_catalog.pg_index AS i
                 CROSS JOIN LATERAL unnest(i.indkey::int2[]) WITH ORDINALITY AS k(attnum, place)
                 JOIN pg_catalog.pg_attribute AS a ON a.attrelid = c.oid AND a.attnum = k.attnum
                 WHERE i.indrelid = c.oid AND i.indisprimary AND k.place <= i.indnkeyatts), '{}')
FROM pg_catalog.pg_class AS c
WHERE c.relnamespace = (SELECT n.oid FROM pg_catalog.pg_namespace AS n WHERE n.nspname = current_schema())
  AND c.relkind IN ('r', 'p', 'v', 'm')
ORDER BY c.relname
"""

# conparentid: a partition inherits its table's keys, which are checked there. The JSON form of the row reads a
# column that older servers do not have: conperiod is a temporal key, for which equality is not the rule.
_FOREIGN_KEYS = """
SELECT child.relname::text, space.nspname::text, parent.relname::text, f.confmatchtype = 'f',
       array_agg(ca.attname::text ORDER BY k.place), array_agg(pa.attname::text ORDER BY k.place),
       array_agg(CASE WHEN pa.attcollation <> 0 AND pa.attcollation <> ca.attcollation THEN
           (SELECT quote_ident(n.nspname) || '.' || quote_ident(o.collname) FROM pg_catalog.pg_collation AS o
            JOIN pg_catalog.pg_namespace AS n ON n.oid = o.collnamespace WHERE o.oid = pa.attcollation) END
           ORDER BY k.place),
       coalesce((to_jsonb(f) ->> 'conperiod')::boolean, false)
FROM pg_catalog.pg_constraint AS f
JOIN pg_catalog.pg_class AS child ON child.oid = f.conrelid
JOIN pg_catalog.pg_class AS parent ON parent.oid = f.confrelid
JOIN pg_catalog.pg_namespace AS space ON space.oid = parent.relnamespace
CROSS JOIN LATERAL unnest(f.conkey, f.confkey) WITH ORDINALITY AS k(child_column, parent_column, place)
JOIN pg_catalog.pg_attribute AS ca ON ca.attrelid = f.conrelid AND ca.attnum = k.child_column
JOIN pg_catalog.pg_attribute AS pa ON pa.attrelid = f.confrelid AND pa.attnum = k.parent_column
WHERE f.contype = 'f' AND f.conparentid = 0
  AND child.relnamespace = (SELECT n.oid FROM pg_catalog.pg_namespace AS n WHERE n.nspname = current_schema())
GROUP BY f.oid, child.relname, space.nspname, parent.relname, f.confmatchtype, f.conname, to_jsonb(f)
ORDER BY child.relname, f.conname
"""


def read_catalog(reader: Reader, ignore: Collection[str]) -> Catalog:
    """The tables, keys and foreign keys of current_schema(), tables named by ``ignore`` left out.

    Raises VerifyError if the search path names no schema that exists.
    """
    ((schema,),) = reader.query(_SCHEMA)
    if schema is None:
        raise VerifyError(
            "the search_path names no schema that exists",
            code="NO_SCHEMA",
            hint="Set search_path for the role or the database, or name a schema in the URL.",
        )
    relations = {}
    tables = []
    for name, kind, partition, size, columns, key in reader.query(_RELATIONS):
        relations[name] = frozenset(columns)
        if kind in ("r", "p") and not is_ignored(name, ignore):
            tables.append(Table(name, schema, "postgres", tuple(columns), tuple(key), "ctid", partition, size))
    known = {table.name for table in tables}
    keys = tuple(
        ForeignKey(
            child,
            tuple(columns),
            parent,
            tuple(parent_columns),
            space,
            match_full=full,
            collations=tuple(collations),
        )
        for child, space, parent, full, columns, parent_columns, collations, temporal in reader.query(_FOREIGN_KEYS)
        if child in known and not temporal
    )
    ((version,),) = reader.query("SELECT current_setting('server_version_num')::int / 10000")
    return Catalog("postgres", schema, tuple(tables), keys, relations, version=version)
