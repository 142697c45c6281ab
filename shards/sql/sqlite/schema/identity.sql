-- Which installation the file belongs to, which part of it this is (meta, shard-0, ...), and how the
-- installation is laid out. The same table in the meta file and in each shard; no row until the first start
-- has laid it out.
CREATE TABLE cluster_identity (
    only_row INTEGER NOT NULL PRIMARY KEY CHECK (only_row = 1),
    cluster  TEXT    NOT NULL,
    part     TEXT    NOT NULL,
    shards   INTEGER NOT NULL,
    tables   INTEGER NOT NULL,
    servers  INTEGER NOT NULL,
    segments INTEGER NOT NULL
) STRICT;
