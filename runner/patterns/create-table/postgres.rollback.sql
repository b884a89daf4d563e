-- Forget {{table}}; everything else stays as it is.

DROP INDEX {{index}};

DROP TABLE {{table}};
