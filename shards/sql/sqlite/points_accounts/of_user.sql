-- [user]
SELECT user_id, balance, entries, frozen
FROM points_account_{table}
WHERE user_id = $1 ->> '$[0]'
ORDER BY user_id
