-- Find {{table}} by {{column}} without reading all of it. Say here why.
-- transactional: false

-- Writers go on meanwhile; that takes a statement of its own, outside a transaction.
CREATE INDEX CONCURRENTLY {{index}} ON {{table}} ({{column}});
