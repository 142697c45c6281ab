-- What time it is, in milliseconds since 1970, when the statement begins.
SELECT CAST(1000 * UNIX_TIMESTAMP(NOW(6)) AS SIGNED)
