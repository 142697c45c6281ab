-- Orders that belong to no call. Slow: runs only when the counts differ.
SELECT o.order_id, o.user_id
FROM raffle_order_{table} AS o
WHERE NOT EXISTS (
    SELECT 1 FROM raffle_call_{table} AS c
    WHERE c.user_id = o.user_id AND c.kind = 1
      AND o.order_id >= c.first_id AND o.order_id < c.first_id + 1024 * c.made)
LIMIT 100
