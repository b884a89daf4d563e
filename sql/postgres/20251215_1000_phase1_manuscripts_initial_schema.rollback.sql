-- Take back the manuscripts, which empties the schema.

DROP TRIGGER manuscripts_touch_updated_at ON manuscripts;

DROP FUNCTION touch_updated_at();

DROP INDEX idx_manuscripts_updated_at;

DROP TABLE manuscripts;
