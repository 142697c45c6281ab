-- (server, activity, kind, good, segment, run, lane, count), ..., sorted. Adds to the rows of one lane, which
-- only that lane and a fold write. A row that existed counts as two changed rows.
INSERT INTO stock_issued (server, activity_id, good_kind, good_id, segment, run, lane, issued)
VALUES {rows}
ON DUPLICATE KEY UPDATE issued = issued + VALUES(issued), touched_at = CURRENT_TIMESTAMP(3)
