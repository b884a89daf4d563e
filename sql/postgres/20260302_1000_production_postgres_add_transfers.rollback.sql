-- Take back the record of transfers; what was copied stays.

DROP TABLE _maxwell_transfer;
