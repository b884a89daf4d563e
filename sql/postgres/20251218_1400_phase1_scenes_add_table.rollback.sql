-- Take back the scenes; the manuscripts stay as they are.

DROP INDEX idx_scenes_manuscript;

DROP TABLE scenes;
