SELECT activity_id, good_kind, good_id, CAST(SUM(issued) AS SIGNED)
FROM stock_issued
GROUP BY activity_id, good_kind, good_id
ORDER BY activity_id, good_kind, good_id
