-- A call may ask for several draws: seq is an order's index in its call, asked is the number that the call
-- asked for.
ALTER TABLE raffle_order_{table} ADD COLUMN seq INTEGER NOT NULL DEFAULT 0;
ALTER TABLE raffle_order_{table} ADD COLUMN asked INTEGER NOT NULL DEFAULT 1;

-- One request id, one call, in all activities: each call has a first order.
DROP INDEX raffle_order_request_{table};
CREATE UNIQUE INDEX raffle_order_request_{table} ON raffle_order_{table} (user_id, request_id, seq);
