SELECT activity_id, good_kind, good_id, sum(coalesce(applied, 0))
FROM stock_operation
GROUP BY activity_id, good_kind, good_id
ORDER BY activity_id, good_kind, good_id
