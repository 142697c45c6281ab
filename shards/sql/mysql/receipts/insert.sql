-- (grant, void, units), ... Waits while a transaction with the same grant is under way. A duplicate key
-- means that the batch has committed or is void already.
INSERT INTO stock_receipt (grant_id, void, units)
VALUES {rows}
