-- [[user, activity, award], ...], sorted -> the indexes of those whose row another transaction has locked, or has
-- written and not committed yet: it is visible among uncommitted rows (the caller must set that isolation level)
-- but cannot be locked. Waits for no lock. The attempt to lock comes before the look-up, so a row that was
-- committed in between counts as held too. The inner query locks nothing; LIMIT keeps MariaDB from reading its
-- table whole.
SELECT STRAIGHT_JOIN CAST(j.k AS SIGNED) - 1
FROM (
    SELECT * FROM JSON_TABLE(?, '$[*]' COLUMNS (
        k           FOR ORDINALITY,
        user_id     VARCHAR(600) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin PATH '$[0]' ERROR ON EMPTY ERROR ON ERROR,
        activity_id BIGINT PATH '$[1]' ERROR ON EMPTY ERROR ON ERROR,
        award_id    BIGINT PATH '$[2]' ERROR ON EMPTY ERROR ON ERROR
    )) AS t
) AS j
LEFT JOIN user_award_{table} AS a FORCE INDEX (PRIMARY)
    ON a.user_id = j.user_id AND a.activity_id = j.activity_id AND a.award_id = j.award_id
WHERE a.user_id IS NULL
  AND (SELECT 1 FROM user_award_{table} AS b FORCE INDEX (PRIMARY)
       WHERE b.user_id = j.user_id AND b.activity_id = j.activity_id
         AND b.award_id = j.award_id LIMIT 1) IS NOT NULL
FOR UPDATE SKIP LOCKED
