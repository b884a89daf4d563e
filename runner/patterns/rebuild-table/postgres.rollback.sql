-- Make {{column}} of {{table}} a {{old_type}} again.

ALTER TABLE {{table}} ALTER COLUMN {{column}} TYPE {{old_type}} USING {{column}}::{{old_type}};
