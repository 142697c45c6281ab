-- [[cluster, part, shards, tables, servers, segments]]
INSERT INTO cluster_identity (only_row, cluster, part, shards, tables, servers, segments)
SELECT 1, value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5 FROM json_each($1)
