-- [[order, user, activity, version, ordinal, day, award, title, index, rule, stocked, promise, points, config], ...]
WITH c AS MATERIALIZED (SELECT value AS row FROM json_each($1))
INSERT INTO raffle_order_{table} (order_id, user_id, activity_id, version, ordinal, day, award_id,
                                  award_title, award_index, rule, stocked, promise, points, award_config)
SELECT row ->> 0, row ->> 1, row ->> 2, row ->> 3, row ->> 4, row ->> 5, row ->> 6,
       row ->> 7, row ->> 8, row ->> 9, row ->> 10, row ->> 11, row ->> 12, row ->> 13
FROM c
