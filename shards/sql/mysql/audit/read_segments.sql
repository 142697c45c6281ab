SELECT activity_id, award_id, segment, server, total
FROM stock_segment
ORDER BY activity_id, award_id, segment
