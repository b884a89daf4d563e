-- Put {{key_names}} of {{table}}.{{column}} into {{group_name}}. Say here why.

-- The value as it was stays beside it until nobody wants to go back; then a later migration drops the column.
ALTER TABLE {{table}} ADD COLUMN {{before}} TEXT;

UPDATE {{table}} SET {{before}} = {{column}} WHERE {{column}} IS NOT NULL;

-- Only objects that have no such part yet; whatever else stands in the column stays as it is.
UPDATE {{table}} SET {{column}} = (
    SELECT json_group_object(key, json(text)) FROM (
        SELECT key, CASE type WHEN 'true' THEN 'true' WHEN 'false' THEN 'false' WHEN 'null' THEN 'null'
               WHEN 'object' THEN value WHEN 'array' THEN value ELSE json_quote(value) END AS text
        FROM json_each({{table}}.{{column}}) WHERE key NOT IN ({{keys}})
        UNION ALL
        SELECT {{group}}, (
            SELECT json_group_object(key, json(
                CASE type WHEN 'true' THEN 'true' WHEN 'false' THEN 'false' WHEN 'null' THEN 'null'
                WHEN 'object' THEN value WHEN 'array' THEN value ELSE json_quote(value) END
            ))
            FROM json_each({{table}}.{{column}}) WHERE key IN ({{keys}})
        )
    )
)
WHERE CASE WHEN json_valid({{column}}) THEN json_type({{column}}) END = 'object'
  AND NOT EXISTS (SELECT 1 FROM json_each(CASE WHEN json_valid({{column}}) THEN {{column}} END) WHERE key = {{group}});
