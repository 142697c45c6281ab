INSERT INTO raffle_order_{table} (order_id, user_id, request_id, activity_id, version, ordinal, day,
                                  award_id, award_title, award_index, rule, stocked, created_at_ms,
                                  seq, asked)
VALUES {rows}
