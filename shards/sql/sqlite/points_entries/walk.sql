-- [user, number]: the entries after this key, of this user and of all users behind, in the order of the key.
SELECT user_id, number, trade, activity_id, amount, balance, business_no, created_at_ms
FROM points_entry_{table}
WHERE (user_id, number) > ($1 ->> '$[0]', $1 ->> '$[1]')
ORDER BY user_id, number
LIMIT {rows_max}
