-- [user]
SELECT user_id, balance, entries, frozen
FROM points_account_{table} FORCE INDEX (PRIMARY)
WHERE user_id = JSON_UNQUOTE(JSON_EXTRACT(?, '$[0]')) COLLATE utf8mb4_bin
ORDER BY user_id
