-- Take {{key_names}} of {{table}}.{{column}} out of {{group_name}} again.

-- A text as an object; NULL where it is none. It is there for this file alone.
CREATE FUNCTION pg_temp.json_object_of(value TEXT) RETURNS JSONB LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
    RETURN CASE WHEN jsonb_typeof(value::JSONB) = 'object' THEN value::JSONB END;
EXCEPTION WHEN OTHERS THEN
    RETURN NULL;
END
$$;

-- What was not changed since is again what it was, to the letter.
UPDATE {{table}} AS t SET {{column}} = t.{{before}}
FROM (SELECT {{before}} AS text, pg_temp.json_object_of({{before}}) AS flat FROM {{table}} GROUP BY {{before}}) AS o
WHERE o.text = t.{{before}} AND t.{{column}} = (o.flat - ARRAY[{{keys}}] || jsonb_build_object(
    {{group}},
    (SELECT coalesce(jsonb_object_agg(key, value), '{}') FROM jsonb_each(o.flat) WHERE key IN ({{keys}}))
))::TEXT;

-- What was changed or added since is taken apart; where the part is no object, nothing can be taken out of it.
UPDATE {{table}} AS t SET {{column}} = (o.nested - {{group}} || (o.nested -> {{group}}))::TEXT
FROM (SELECT {{column}} AS text, pg_temp.json_object_of({{column}}) AS nested FROM {{table}} GROUP BY {{column}}) AS o
WHERE o.text = t.{{column}} AND t.{{column}} IS DISTINCT FROM t.{{before}}
  AND jsonb_typeof(o.nested -> {{group}}) = 'object';

DROP FUNCTION pg_temp.json_object_of(TEXT);

ALTER TABLE {{table}} DROP COLUMN {{before}};
