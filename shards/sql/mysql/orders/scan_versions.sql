SELECT DISTINCT activity_id, version FROM raffle_order_{table}
