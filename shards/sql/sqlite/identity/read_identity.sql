SELECT cluster, part, shards, tables, servers, segments FROM cluster_identity
