-- (server, activity, award, segment, run, lane, count), ..., sorted: adds to the rows of one lane, which
-- nobody else writes but a fold. A row that was there counts as two.
INSERT INTO stock_issued (server, activity_id, award_id, segment, run, lane, issued)
VALUES {rows}
ON DUPLICATE KEY UPDATE issued = issued + VALUES(issued), touched_at = CURRENT_TIMESTAMP(3)
