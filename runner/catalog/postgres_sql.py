"""The queries behind the catalog of PostgreSQL. ``%`` stands for itself: they take no parameters.

A system column that only newer servers have is read by way of the row's JSON form.
"""

from __future__ import annotations

_SCHEMA = "(SELECT n.oid FROM pg_catalog.pg_namespace AS n WHERE n.nspname = current_schema())"

_DEFAULT_COLLATION = "'pg_catalog.default'::regcollation"


def _not_of_extension(oid: str, catalog: str) -> str:
    return (
        f"NOT EXISTS (SELECT FROM pg_catalog.pg_depend AS e WHERE e.deptype = 'e' AND e.objid = {oid}"
        f" AND e.classid = 'pg_catalog.{catalog}'::regclass)"
    )


_RELATION = f"c.relnamespace = {_SCHEMA} AND {_not_of_extension('c.oid', 'pg_class')}"

RELATIONS = f"""
SELECT c.relname::text, c.relkind::text,
       concat_ws(' ',
           CASE c.relpersistence WHEN 'u' THEN 'UNLOGGED' END,
           CASE WHEN c.relkind = 'p' THEN 'PARTITION BY ' || pg_get_partkeydef(c.oid) END,
           (SELECT CASE WHEN c.relispartition THEN 'PARTITION OF ' ELSE 'INHERITS ' END
                   || string_agg(i.inhparent::regclass::text, ', ' ORDER BY i.inhseqno)
            FROM pg_catalog.pg_inherits AS i WHERE i.inhrelid = c.oid),
           CASE WHEN c.relispartition THEN pg_get_expr(c.relpartbound, c.oid) END,
           CASE WHEN c.relrowsecurity THEN 'ROW LEVEL SECURITY' END,
           CASE WHEN c.relforcerowsecurity THEN 'FORCED' END,
           CASE WHEN c.relkind IN ('r', 'p') THEN
               CASE c.relreplident WHEN 'n' THEN 'REPLICA IDENTITY NOTHING' WHEN 'f' THEN 'REPLICA IDENTITY FULL'
                                   WHEN 'i' THEN 'REPLICA IDENTITY INDEX' END END,
           CASE WHEN c.relkind = 'm' AND NOT c.relispopulated THEN 'WITH NO DATA' END,
           CASE WHEN c.reloptions IS NOT NULL THEN 'WITH (' || array_to_string(c.reloptions, ', ') || ')' END,
           (SELECT 'SERVER ' || quote_ident(s.srvname)
            FROM pg_catalog.pg_foreign_table AS f JOIN pg_catalog.pg_foreign_server AS s ON s.oid = f.ftserver
            WHERE f.ftrelid = c.oid)),
       c.relispartition,
       CASE WHEN c.relkind IN ('v', 'm') THEN pg_get_viewdef(c.oid) END
FROM pg_catalog.pg_class AS c
WHERE c.relkind IN ('r', 'p', 'f', 'v', 'm') AND {_RELATION}
ORDER BY c.relname
"""

COLUMNS = f"""
SELECT c.relname::text, a.attname::text, format_type(a.atttypid, a.atttypmod), a.attnotnull,
       pg_get_expr(d.adbin, d.adrelid, true), a.attgenerated::text, a.attidentity::text,
       CASE WHEN a.attcollation <> t.typcollation THEN a.attcollation::regcollation::text END
FROM pg_catalog.pg_class AS c
JOIN pg_catalog.pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
JOIN pg_catalog.pg_type AS t ON t.oid = a.atttypid
LEFT JOIN pg_catalog.pg_attrdef AS d ON d.adrelid = c.oid AND d.adnum = a.attnum
WHERE c.relkind IN ('r', 'p', 'f', 'v', 'm') AND {_RELATION}
ORDER BY c.relname, a.attnum
"""

# A foreign key whose triggers are disabled (ALTER TABLE ... DISABLE TRIGGER ALL) holds nothing. NOT NULL is the
# column's, unless it was never validated.
CONSTRAINTS = f"""
SELECT c.relname::text, k.contype::text, k.conname::text,
       coalesce((SELECT array_agg(a.attname::text ORDER BY u.place)
                 FROM unnest(k.conkey) WITH ORDINALITY AS u(attnum, place)
                 JOIN pg_catalog.pg_attribute AS a ON a.attrelid = k.conrelid AND a.attnum = u.attnum), '{{}}'),
       pg_get_constraintdef(k.oid, true),
       k.confrelid::regclass::text,
       coalesce((SELECT array_agg(a.attname::text ORDER BY u.place)
                 FROM unnest(k.confkey) WITH ORDINALITY AS u(attnum, place)
                 JOIN pg_catalog.pg_attribute AS a ON a.attrelid = k.confrelid AND a.attnum = u.attnum), '{{}}'),
       k.confupdtype::text, k.confdeltype::text,
       concat_ws(' ',
           CASE WHEN k.confmatchtype = 'f' THEN 'MATCH FULL' END,
           (SELECT '(' || string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum) || ')'
            FROM jsonb_array_elements_text(nullif(to_jsonb(k) -> 'confdelsetcols', 'null')) AS s(attnum)
            JOIN pg_catalog.pg_attribute AS a ON a.attrelid = k.conrelid AND a.attnum = s.attnum::int2),
           CASE WHEN k.condeferrable THEN 'DEFERRABLE' END, CASE WHEN k.condeferred THEN 'INITIALLY DEFERRED' END,
           CASE WHEN NOT (to_jsonb(k) ->> 'conenforced')::boolean THEN 'NOT ENFORCED' END),
       k.convalidated OR NOT coalesce((to_jsonb(k) ->> 'conenforced')::boolean, true),
       NOT EXISTS (SELECT FROM pg_catalog.pg_trigger AS g
                   WHERE g.tgconstraint = k.oid AND g.tgisinternal AND g.tgenabled IN ('D', 'R')),
       pg_get_expr(k.conbin, k.conrelid, true)
FROM pg_catalog.pg_constraint AS k
JOIN pg_catalog.pg_class AS c ON c.oid = k.conrelid
WHERE {_RELATION} AND k.contype IN ('c', 'f', 'n', 'p', 'u', 'x') AND (k.contype <> 'n' OR NOT k.convalidated)
ORDER BY c.relname, k.conname
"""

# Of a key also the operator class, the collation and the order, where they are not the usual ones: that is what
# pg_get_indexdef writes. Indexes of constraints are left to those.
INDEXES = f"""
SELECT i.relname::text, c.relname::text, m.amname::text, x.indisunique,
       (SELECT array_agg(pg_get_indexdef(x.indexrelid, k, true)
                   || CASE WHEN x.indcollation[k - 1] NOT IN (0, coalesce(a.attcollation, {_DEFAULT_COLLATION}))
                      THEN ' COLLATE ' || x.indcollation[k - 1]::regcollation::text ELSE '' END
                   || CASE WHEN NOT o.opcdefault THEN ' ' || o.opcname ELSE '' END
                   || CASE x.indoption[k - 1] & 3
                      WHEN 1 THEN ' DESC NULLS LAST' WHEN 2 THEN ' NULLS FIRST' WHEN 3 THEN ' DESC' ELSE '' END
                   ORDER BY k)
        FROM generate_series(1, x.indnkeyatts) AS k
        JOIN pg_catalog.pg_opclass AS o ON o.oid = x.indclass[k - 1]
        LEFT JOIN pg_catalog.pg_attribute AS a ON a.attrelid = x.indrelid AND a.attnum = x.indkey[k - 1]),
       pg_get_expr(x.indpred, x.indrelid, true),
       concat_ws(' ',
           (SELECT 'INCLUDE (' || string_agg(pg_get_indexdef(x.indexrelid, k, true), ', ' ORDER BY k) || ')'
            FROM generate_series(x.indnkeyatts + 1, x.indnatts) AS k HAVING count(*) > 0),
           CASE WHEN (to_jsonb(x) ->> 'indnullsnotdistinct')::boolean THEN 'NULLS NOT DISTINCT' END,
           CASE WHEN i.reloptions IS NOT NULL THEN 'WITH (' || array_to_string(i.reloptions, ', ') || ')' END,
           CASE WHEN x.indisclustered THEN 'CLUSTERED' END),
       x.indisvalid AND x.indisready AND x.indislive
FROM pg_catalog.pg_index AS x
JOIN pg_catalog.pg_class AS i ON i.oid = x.indexrelid
JOIN pg_catalog.pg_class AS c ON c.oid = x.indrelid
JOIN pg_catalog.pg_am AS m ON m.oid = i.relam
WHERE {_RELATION} AND NOT EXISTS (SELECT FROM pg_catalog.pg_constraint AS k
                                 WHERE k.conindid = x.indexrelid AND k.contype IN ('p', 'u', 'x'))
ORDER BY i.relname
"""

TRIGGERS = f"""
SELECT g.tgname::text, c.relname::text, g.tgtype::int,
       (SELECT array_agg(a.attname::text) FROM unnest(g.tgattr::int2[]) AS u(attnum)
        JOIN pg_catalog.pg_attribute AS a ON a.attrelid = g.tgrelid AND a.attnum = u.attnum),
       pg_get_triggerdef(g.oid, true), g.tgenabled::text,
       concat_ws(' ',
           CASE WHEN g.tgconstraint <> 0 THEN 'CONSTRAINT' END,
           CASE WHEN g.tgdeferrable THEN 'DEFERRABLE' END, CASE WHEN g.tginitdeferred THEN 'INITIALLY DEFERRED' END,
           'REFERENCING OLD TABLE AS ' || quote_ident(g.tgoldtable),
           'REFERENCING NEW TABLE AS ' || quote_ident(g.tgnewtable))
FROM pg_catalog.pg_trigger AS g
JOIN pg_catalog.pg_class AS c ON c.oid = g.tgrelid
WHERE NOT g.tgisinternal AND {_RELATION}
ORDER BY g.tgname, c.relname
"""

ENUMS = f"""
SELECT t.typname::text, (SELECT array_agg(e.enumlabel::text ORDER BY e.enumsortorder)
                         FROM pg_catalog.pg_enum AS e WHERE e.enumtypid = t.oid)
FROM pg_catalog.pg_type AS t
WHERE t.typtype = 'e' AND t.typnamespace = {_SCHEMA} AND {_not_of_extension("t.oid", "pg_type")}
ORDER BY t.typname
"""

DOMAINS = f"""
SELECT t.typname::text, format_type(t.typbasetype, t.typtypmod), t.typnotnull, t.typdefault,
       coalesce(array_agg(k.conname::text ORDER BY k.conname) FILTER (WHERE k.contype = 'c'), '{{}}'),
       coalesce(array_agg(pg_get_expr(k.conbin, 0, true) ORDER BY k.conname) FILTER (WHERE k.contype = 'c'), '{{}}')
FROM pg_catalog.pg_type AS t
LEFT JOIN pg_catalog.pg_constraint AS k ON k.contypid = t.oid
WHERE t.typtype = 'd' AND t.typnamespace = {_SCHEMA} AND {_not_of_extension("t.oid", "pg_type")}
GROUP BY t.oid, t.typname, t.typbasetype, t.typtypmod, t.typnotnull, t.typdefault
ORDER BY t.typname
"""

# The sequence of an identity column is the column's, but for its settings.
_OTHERS = f"""
SELECT 'sequence', c.relname::text, NULL::text,
       concat_ws(' ', format_type(s.seqtypid, NULL), 'START ' || s.seqstart, 'INCREMENT ' || s.seqincrement,
           'MINVALUE ' || s.seqmin, 'MAXVALUE ' || s.seqmax, CASE WHEN s.seqcycle THEN 'CYCLE' END,
           CASE c.relpersistence WHEN 'u' THEN 'UNLOGGED' END,
           (SELECT 'OWNED BY ' || d.refobjid::regclass::text || '.' || quote_ident(a.attname)
            FROM pg_catalog.pg_depend AS d
            JOIN pg_catalog.pg_attribute AS a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
            WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = c.oid AND d.deptype IN ('a', 'i')
              AND d.refclassid = 'pg_catalog.pg_class'::regclass AND d.refobjsubid > 0))
FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_sequence AS s ON s.seqrelid = c.oid
WHERE c.relkind = 'S' AND {_RELATION}
UNION ALL
SELECT CASE p.prokind WHEN 'p' THEN 'procedure' WHEN 'a' THEN 'aggregate' WHEN 'w' THEN 'window function'
                      ELSE 'function' END,
       quote_ident(p.proname) || '(' || pg_get_function_identity_arguments(p.oid) || ')', NULL,
       concat_ws(' ', '(' || pg_get_function_arguments(p.oid) || ')', 'RETURNS ' || pg_get_function_result(p.oid),
           'LANGUAGE ' || l.lanname,
           CASE p.provolatile WHEN 'i' THEN 'IMMUTABLE' WHEN 's' THEN 'STABLE' END,
           CASE WHEN p.proisstrict THEN 'STRICT' END, CASE WHEN p.prosecdef THEN 'SECURITY DEFINER' END,
           CASE WHEN p.proleakproof THEN 'LEAKPROOF' END,
           CASE p.proparallel WHEN 's' THEN 'PARALLEL SAFE' WHEN 'r' THEN 'PARALLEL RESTRICTED' END,
           'SET ' || array_to_string(p.proconfig, ' SET '),
           (SELECT concat_ws(' ', 'SFUNC', g.aggtransfn, 'STYPE', format_type(g.aggtranstype, NULL),
                             'INITCOND ' || g.agginitval, 'FINALFUNC ' || nullif(g.aggfinalfn, 0)::regproc)
            FROM pg_catalog.pg_aggregate AS g WHERE g.aggfnoid = p.oid),
           'AS', nullif(p.prosrc, ''), <sql body>)
FROM pg_catalog.pg_proc AS p JOIN pg_catalog.pg_language AS l ON l.oid = p.prolang
WHERE p.pronamespace = {_SCHEMA} AND {_not_of_extension("p.oid", "pg_proc")}
UNION ALL
SELECT 'type', t.typname::text, NULL,
       '(' || coalesce((SELECT string_agg(quote_ident(a.attname) || ' ' || format_type(a.atttypid, a.atttypmod), ', '
                                 ORDER BY a.attnum)
               FROM pg_catalog.pg_attribute AS a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped), '')
       || ')'
FROM pg_catalog.pg_type AS t JOIN pg_catalog.pg_class AS c ON c.oid = t.typrelid AND c.relkind = 'c'
WHERE {_RELATION}
UNION ALL
SELECT 'type', t.typname::text, NULL, 'RANGE OF ' || format_type(r.rngsubtype, NULL)
FROM pg_catalog.pg_type AS t JOIN pg_catalog.pg_range AS r ON r.rngtypid = t.oid
WHERE t.typnamespace = {_SCHEMA} AND {_not_of_extension("t.oid", "pg_type")}
UNION ALL
SELECT 'rule', w.rulename::text, c.relname::text, pg_get_ruledef(w.oid, true) || CASE w.ev_enabled WHEN 'O' THEN ''
       ELSE ' (' || CASE w.ev_enabled WHEN 'D' THEN 'disabled' WHEN 'A' THEN 'always' ELSE 'replica only' END || ')' END
FROM pg_catalog.pg_rewrite AS w JOIN pg_catalog.pg_class AS c ON c.oid = w.ev_class
WHERE w.rulename <> '_RETURN' AND {_RELATION}
UNION ALL
SELECT 'policy', y.polname::text, c.relname::text,
       concat_ws(' ', CASE WHEN y.polpermissive THEN 'PERMISSIVE' ELSE 'RESTRICTIVE' END,
           'FOR ' || CASE y.polcmd WHEN 'r' THEN 'SELECT' WHEN 'a' THEN 'INSERT' WHEN 'w' THEN 'UPDATE'
                                   WHEN 'd' THEN 'DELETE' ELSE 'ALL' END,
           'USING (' || pg_get_expr(y.polqual, y.polrelid) || ')',
           'WITH CHECK (' || pg_get_expr(y.polwithcheck, y.polrelid) || ')')
FROM pg_catalog.pg_policy AS y JOIN pg_catalog.pg_class AS c ON c.oid = y.polrelid
WHERE {_RELATION}
UNION ALL
SELECT 'statistics', x.stxname::text, c.relname::text,
       regexp_replace(pg_get_statisticsobjdef(x.oid), '^CREATE STATISTICS \\S+ ', '')
FROM pg_catalog.pg_statistic_ext AS x JOIN pg_catalog.pg_class AS c ON c.oid = x.stxrelid
WHERE {_RELATION}
"""


def others(server_version: int) -> str:
    """The objects of all other kinds: kind, name, table or NULL, and what it is."""
    return _OTHERS.replace("<sql body>", "pg_get_function_sqlbody(p.oid)" if server_version >= 140000 else "NULL")
