-- The time when the statement begins, in milliseconds since 1970.
SELECT CAST(1000 * UNIX_TIMESTAMP(NOW(6)) AS SIGNED)
