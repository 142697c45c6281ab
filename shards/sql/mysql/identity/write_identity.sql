-- [[cluster, part, shards, tables, servers, segments]]
INSERT INTO cluster_identity (only_row, cluster, part, shards, tables, servers, segments)
SELECT 1, j.cluster, j.part, j.shards, j.tables, j.servers, j.segments
FROM JSON_TABLE(?, '$[*]' COLUMNS (
    cluster  VARCHAR(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin PATH '$[0]' ERROR ON EMPTY ERROR ON ERROR,
    part     VARCHAR(16) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin PATH '$[1]' ERROR ON EMPTY ERROR ON ERROR,
    shards   INT PATH '$[2]' ERROR ON EMPTY ERROR ON ERROR,
    tables   INT PATH '$[3]' ERROR ON EMPTY ERROR ON ERROR,
    servers  INT PATH '$[4]' ERROR ON EMPTY ERROR ON ERROR,
    segments INT PATH '$[5]' ERROR ON EMPTY ERROR ON ERROR
)) AS j
