-- Of this connection.
SELECT CAST(LAST_INSERT_ID() AS SIGNED)
