SELECT activity_id, good_kind, good_id, units
FROM stock_operation
WHERE kind = 'publish'
ORDER BY activity_id, good_kind, good_id
