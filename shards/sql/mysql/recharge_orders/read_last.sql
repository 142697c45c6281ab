SELECT COALESCE(MAX(order_id), 0) FROM recharge_order_{table}
