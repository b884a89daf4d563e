-- Find {{table}} by {{column}} without reading all of it. Say here why.

CREATE INDEX {{index}} ON {{table}} ({{column}});
