-- [[order]]. The whole file is locked already: whoever wrote before has ended.
SELECT order_id FROM raffle_order_{table} WHERE order_id IN (SELECT value ->> 0 FROM json_each($1))
