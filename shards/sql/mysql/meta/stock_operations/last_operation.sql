-- The last id of this connection.
SELECT CAST(LAST_INSERT_ID() AS SIGNED)
