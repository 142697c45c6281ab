-- A call may ask for several draws: seq is an order's index in its call, asked is the number that the call
-- asked for. One request id, one call, in all activities: each call has a first order. With defaults, so that
-- a gateway of the version before can draw meanwhile. All in one change, which is made whole or not at all.
-- Prepared, because MySQL cannot add a column only if it is missing.
SET @change = IF(
    (SELECT COUNT(*) FROM information_schema.columns
     WHERE table_schema = DATABASE() AND table_name = 'raffle_order_{table}' AND column_name = 'seq') = 0,
    'ALTER TABLE raffle_order_{table}
         ADD COLUMN seq TINYINT UNSIGNED NOT NULL DEFAULT 0,
         ADD COLUMN asked TINYINT UNSIGNED NOT NULL DEFAULT 1,
         DROP KEY raffle_order_request,
         ADD UNIQUE KEY raffle_order_request (user_id, request_id, seq)',
    'DO 0');
PREPARE changing FROM @change;
EXECUTE changing;
DEALLOCATE PREPARE changing
