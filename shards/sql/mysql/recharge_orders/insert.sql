INSERT INTO recharge_order_{table} (order_id, user_id, request_id, activity_id, kind, chances, created_at_ms,
                                    points, sku, behaviour, business_no, streak)
VALUES {rows}
