-- Which cluster the database belongs to, which part of the cluster it is (meta, shard-0, ...), and how that
-- cluster is laid out. The same table in the meta database and in each shard; no row until the first
-- migration is done.
CREATE TABLE IF NOT EXISTS cluster_identity (
    only_row TINYINT NOT NULL PRIMARY KEY CHECK (only_row = 1),
    cluster  VARCHAR(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
    part     VARCHAR(16) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
    shards   SMALLINT UNSIGNED NOT NULL,
    tables   SMALLINT UNSIGNED NOT NULL,
    servers  TINYINT UNSIGNED NOT NULL,
    segments SMALLINT UNSIGNED NOT NULL
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC CHARACTER SET utf8mb4 COLLATE utf8mb4_bin
