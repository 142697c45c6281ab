SELECT activity_id, good_kind, good_id, segment, server, total
FROM stock_segment
ORDER BY activity_id, good_kind, good_id, segment
