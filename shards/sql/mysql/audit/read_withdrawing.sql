-- The units that servers gave to withdrawals that are not done yet: they are gone from the segments, but not
-- from the total.
SELECT o.activity_id, o.good_kind, o.good_id, CAST(SUM(d.units) AS SIGNED)
FROM stock_operation AS o
JOIN stock_delivery AS d ON d.operation_id = o.operation_id
WHERE o.kind = 'withdraw' AND o.applied IS NULL
GROUP BY o.activity_id, o.good_kind, o.good_id
