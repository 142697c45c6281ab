-- [[order, user, request, activity, version, ordinal, day, award, title, index, rule, stocked, created_at_ms], ...]
INSERT INTO raffle_order_{table} (order_id, user_id, request_id, activity_id, version, ordinal, day, award_id,
                                  award_title, award_index, rule, stocked, created_at_ms)
SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6,
       value ->> 7, value ->> 8, value ->> 9, value ->> 10, value ->> 11, value ->> 12
FROM json_each(?1)
