-- How many orders exist, and how many the calls for draws name, at one moment.
SELECT (SELECT COUNT(*) FROM raffle_order_{table}),
       (SELECT COALESCE(SUM(made), 0) FROM raffle_call_{table} WHERE kind = 1)
