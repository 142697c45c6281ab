-- [version, shards, tables]
INSERT INTO slot_map (version, shards, tables)
SELECT j.version, j.shards, j.tables
FROM JSON_TABLE(?, '$' COLUMNS (
    version BIGINT PATH '$[0]' ERROR ON EMPTY ERROR ON ERROR,
    shards  BIGINT PATH '$[1]' ERROR ON EMPTY ERROR ON ERROR,
    tables  BIGINT PATH '$[2]' ERROR ON EMPTY ERROR ON ERROR
)) AS j
