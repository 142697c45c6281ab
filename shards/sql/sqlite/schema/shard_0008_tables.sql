-- Every order has a call by now: drops the columns that calls have, and the orders' unique key, which that of
-- the calls replaces. Dropping the columns one by one would write the table four times.
CREATE TABLE raffle_order_converted_{table} (
    order_id    INTEGER NOT NULL PRIMARY KEY,
    user_id     TEXT    NOT NULL,
    activity_id INTEGER NOT NULL,
    version     INTEGER NOT NULL,
    ordinal     INTEGER NOT NULL,
    day         INTEGER NOT NULL,
    award_id    INTEGER NOT NULL,
    award_title TEXT    NOT NULL,
    award_index INTEGER NOT NULL,
    rule        TEXT    NOT NULL,
    stocked     INTEGER NOT NULL
) STRICT;
INSERT INTO raffle_order_converted_{table} (order_id, user_id, activity_id, version, ordinal, day, award_id,
                                            award_title, award_index, rule, stocked)
SELECT order_id, user_id, activity_id, version, ordinal, day, award_id, award_title, award_index, rule, stocked
FROM raffle_order_{table}
ORDER BY order_id;
DROP TABLE raffle_order_{table};
ALTER TABLE raffle_order_converted_{table} RENAME TO raffle_order_{table};
