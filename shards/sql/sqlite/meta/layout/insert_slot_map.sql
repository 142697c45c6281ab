-- [version, shards, tables]
INSERT INTO slot_map (version, shards, tables) VALUES ($1 ->> 0, $1 ->> 1, $1 ->> 2)
