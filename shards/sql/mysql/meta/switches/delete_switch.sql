-- [[name, activity]]
DELETE s FROM switch_setting AS s
JOIN JSON_TABLE(?, '$[*]' COLUMNS (
    name        VARCHAR(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin PATH '$[0]' ERROR ON EMPTY ERROR ON ERROR,
    activity_id BIGINT PATH '$[1]' ERROR ON EMPTY ERROR ON ERROR
)) AS j ON s.name = j.name AND s.activity_id = j.activity_id
