-- The units issued by lanes that write, or did so a while ago. Each lane writes the orders of one table, the
-- table of its number. Run 0 has the sums of earlier lanes, whichever table they had.
SELECT activity_id, good_kind, good_id, CAST(lane AS SIGNED), CAST(SUM(issued) AS SIGNED)
FROM stock_issued
WHERE run > 0
GROUP BY activity_id, good_kind, good_id, lane
ORDER BY activity_id, good_kind, good_id, lane
