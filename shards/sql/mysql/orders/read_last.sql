SELECT COALESCE(MAX(order_id), 0) FROM raffle_order_{table}
