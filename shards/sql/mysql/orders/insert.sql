INSERT INTO raffle_order_{table} (order_id, user_id, activity_id, version, ordinal, day, award_id,
                                  award_title, award_index, rule, stocked, promise, points, award_config)
VALUES {rows}
