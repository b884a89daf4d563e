-- Take back the coach and all that it learned; the manuscripts and their scenes stay as they are.

DROP INDEX idx_feedback_patterns_type;

DROP INDEX idx_coaching_manuscript;

DROP TABLE feedback_patterns;

DROP TABLE writing_profiles;

DROP TABLE coaching_history;
