-- (order) -> the order, if it is there when the transaction that inserts it has ended.
SELECT order_id FROM raffle_order_{table} FORCE INDEX (PRIMARY) WHERE order_id IN ({rows}) LOCK IN SHARE MODE
