-- Units issued by lanes that still write, or did a while ago. Each lane writes the orders of one table, and
-- has its number. Run 0 has the units of all former lanes.
SELECT activity_id, award_id, CAST(lane AS SIGNED), CAST(SUM(issued) AS SIGNED)
FROM stock_issued
WHERE run > 0
GROUP BY activity_id, award_id, lane
ORDER BY activity_id, award_id, lane
