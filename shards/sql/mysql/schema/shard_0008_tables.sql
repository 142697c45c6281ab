-- Every order has a call by now: drops the columns that calls have, and the orders' unique key, which that of
-- the calls replaces.
SET @change = IF(
    (SELECT COUNT(*) FROM information_schema.statistics
     WHERE table_schema = DATABASE() AND table_name = 'raffle_order_{table}' AND index_name = 'raffle_order_to_convert') > 0,
    'ALTER TABLE raffle_order_{table} DROP KEY raffle_order_to_convert',
    'DO 0');
PREPARE changing FROM @change;
EXECUTE changing;
DEALLOCATE PREPARE changing;
SET @change = IF(
    (SELECT COUNT(*) FROM information_schema.columns
     WHERE table_schema = DATABASE() AND table_name = 'raffle_order_{table}' AND column_name = 'request_id') > 0,
    'ALTER TABLE raffle_order_{table} DROP COLUMN request_id, DROP COLUMN seq, DROP COLUMN asked, DROP COLUMN created_at_ms',
    'DO 0');
PREPARE changing FROM @change;
EXECUTE changing;
DEALLOCATE PREPARE changing
