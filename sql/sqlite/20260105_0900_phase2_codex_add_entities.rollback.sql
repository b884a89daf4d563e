-- Take back the codex; scenes lose pov_character_fk and keep everything else.

-- Before the tables, because scenes refers to entities. The foreign key goes with its column.
ALTER TABLE scenes DROP COLUMN pov_character_fk;

DROP INDEX idx_relationships_target;

DROP INDEX idx_relationships_source;

DROP INDEX idx_entities_type;

DROP INDEX idx_entities_manuscript;

DROP TABLE entity_suggestions;

DROP TABLE relationships;

DROP TABLE entities;
