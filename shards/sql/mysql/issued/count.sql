-- (server, activity, award, segment, run, lane, count), ..., sorted: adds to the rows of one lane. Only that
-- lane and a fold write them. A row that existed counts as two.
INSERT INTO stock_issued (server, activity_id, award_id, segment, run, lane, issued)
VALUES {rows}
ON DUPLICATE KEY UPDATE issued = issued + VALUES(issued), touched_at = CURRENT_TIMESTAMP(3)
