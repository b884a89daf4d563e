-- Put {{key_names}} of {{table}}.{{column}} into {{group_name}}. Say here why.

-- The value as it was stays beside it until nobody wants to go back; then a later migration drops the column.
ALTER TABLE {{table}} ADD COLUMN {{before}} TEXT;

UPDATE {{table}} SET {{before}} = {{column}} WHERE {{column}} IS NOT NULL;

-- A text as an object; NULL where it is none. It is there for this file alone.
CREATE FUNCTION pg_temp.json_object_of(value TEXT) RETURNS JSONB LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
    RETURN CASE WHEN jsonb_typeof(value::JSONB) = 'object' THEN value::JSONB END;
EXCEPTION WHEN OTHERS THEN
    RETURN NULL;
END
$$;

-- Only objects that have no such part yet; whatever else stands in the column stays as it is.
UPDATE {{table}} AS t SET {{column}} = (o.flat - ARRAY[{{keys}}] || jsonb_build_object(
    {{group}},
    (SELECT coalesce(jsonb_object_agg(key, value), '{}') FROM jsonb_each(o.flat) WHERE key IN ({{keys}}))
))::TEXT
FROM (SELECT {{column}} AS text, pg_temp.json_object_of({{column}}) AS flat FROM {{table}} GROUP BY {{column}}) AS o
WHERE o.text = t.{{column}} AND o.flat IS NOT NULL AND NOT o.flat ? {{group}};

-- lint-ignore: squawk/ban-drop-function it was made above
DROP FUNCTION pg_temp.json_object_of(TEXT);
