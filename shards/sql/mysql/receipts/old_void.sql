-- [[min_age_s]], by this database's clock -> grant, by grant. It is a statement of its own: within a DELETE
-- it would wait for receipts of batches that are under way.
SELECT r.grant_id
FROM JSON_TABLE(?, '$[*]' COLUMNS (min_age_s BIGINT PATH '$[0]' ERROR ON EMPTY ERROR ON ERROR)) AS j
STRAIGHT_JOIN stock_receipt AS r
    ON r.created_at < NOW(3) - INTERVAL j.min_age_s SECOND
WHERE r.void = 1
ORDER BY r.grant_id
LIMIT 1000
