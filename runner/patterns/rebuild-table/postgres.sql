-- Make {{column}} of {{table}} a {{type}}. Say here why.

-- lint-ignore: squawk/changing-column-type it is done while nobody needs the table, or has few rows
ALTER TABLE {{table}} ALTER COLUMN {{column}} TYPE {{type}} USING {{column}}::{{type}};
