SELECT version, shards, tables FROM slot_map ORDER BY version DESC LIMIT 1
