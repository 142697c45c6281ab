-- [[user, request], ...]: calls that this transaction has inserted.
DELETE FROM raffle_call_{table}
WHERE (user_id, request_id) IN (SELECT value ->> 0, value ->> 1 FROM json_each($1))
