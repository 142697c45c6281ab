-- [[after]] -> grant, age in ms by this database's clock, units; receipts of committed batches, by grant.
-- The value is a constant, not a joined table: so a page is a range of the key, and nothing is sorted.
SELECT grant_id, TIMESTAMPDIFF(MICROSECOND, created_at, NOW(3)) DIV 1000, units
FROM stock_receipt FORCE INDEX (PRIMARY)
WHERE grant_id > CAST(JSON_VALUE(CAST(? AS CHAR CHARACTER SET utf8mb4), '$[0][0]') AS SIGNED) AND void = 0
ORDER BY grant_id
LIMIT 1000
