-- What lanes that still write, or did a while ago, have issued: each lane writes the orders of one table,
-- whose number it has. Run 0 has what others have left, whichever lane they were.
SELECT activity_id, award_id, CAST(lane AS SIGNED), CAST(SUM(issued) AS SIGNED)
FROM stock_issued
WHERE run > 0
GROUP BY activity_id, award_id, lane
ORDER BY activity_id, award_id, lane
