-- Take back the history and the variants; manuscripts and scenes stay as they are.

DROP INDEX idx_variants_scene;

DROP INDEX idx_snapshots_manuscript_date;

DROP TABLE variants;

DROP TABLE snapshots;
