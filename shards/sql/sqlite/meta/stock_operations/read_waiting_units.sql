SELECT activity_id, good_kind, good_id, sum(units)
FROM stock_operation
WHERE applied IS NULL
GROUP BY activity_id, good_kind, good_id
ORDER BY activity_id, good_kind, good_id
