-- Take {{key_names}} of {{table}}.{{column}} out of {{group_name}} again.

-- What was not changed since is again what it was, to the letter.
UPDATE {{table}} SET {{column}} = {{before}}
WHERE {{before}} IS NOT NULL AND {{column}} = (
    SELECT json_group_object(key, json(text)) FROM (
        SELECT key, CASE type WHEN 'true' THEN 'true' WHEN 'false' THEN 'false' WHEN 'null' THEN 'null'
               WHEN 'object' THEN value WHEN 'array' THEN value ELSE json_quote(value) END AS text
        FROM json_each(CASE WHEN json_valid({{table}}.{{before}}) THEN {{table}}.{{before}} END) WHERE key NOT IN ({{keys}})
        UNION ALL
        SELECT {{group}}, (
            SELECT json_group_object(key, json(
                CASE type WHEN 'true' THEN 'true' WHEN 'false' THEN 'false' WHEN 'null' THEN 'null'
                WHEN 'object' THEN value WHEN 'array' THEN value ELSE json_quote(value) END
            ))
            FROM json_each(CASE WHEN json_valid({{table}}.{{before}}) THEN {{table}}.{{before}} END) WHERE key IN ({{keys}})
        )
    )
);

-- What was changed or added since is taken apart; where the part is no object, nothing can be taken out of it.
UPDATE {{table}} SET {{column}} = (
    SELECT json_group_object(key, json(text)) FROM (
        SELECT key, CASE type WHEN 'true' THEN 'true' WHEN 'false' THEN 'false' WHEN 'null' THEN 'null'
               WHEN 'object' THEN value WHEN 'array' THEN value ELSE json_quote(value) END AS text
        FROM json_each({{table}}.{{column}}) WHERE key <> {{group}}
        UNION ALL
        SELECT key, CASE type WHEN 'true' THEN 'true' WHEN 'false' THEN 'false' WHEN 'null' THEN 'null'
               WHEN 'object' THEN value WHEN 'array' THEN value ELSE json_quote(value) END
        FROM json_each({{table}}.{{column}}, '$.' || json_quote({{group}}))
    )
)
WHERE {{column}} IS NOT {{before}}
  AND CASE WHEN json_valid({{column}}) THEN json_type({{column}}) END = 'object'
  AND EXISTS (SELECT 1 FROM json_each(CASE WHEN json_valid({{column}}) THEN {{column}} END) WHERE key = {{group}} AND type = 'object');

ALTER TABLE {{table}} DROP COLUMN {{before}};
