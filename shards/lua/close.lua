-- Closes grants that are still open: unused units go back.
-- KEYS: stock, grants. ARGV: for each grant its id and its used parts ("item:segment count ...").
-- Returns the epoch; -1 when this server must be rebuilt.
if not epoch then return -1 end
for i = 1, #ARGV, 2 do
  local note = redis.call('HGET', KEYS[2], ARGV[i])
  if note then
    local used = {}
    for field, count in string.gmatch(ARGV[i + 1], '(%S+) (%d+)') do used[field] = tonumber(count) end
    -- The note begins with the shard and the time.
    for field, count in string.gmatch(string.match(note, '^%d+ %d+ (.*)$'), '(%S+) (%d+)') do
      local unused = tonumber(count) - (used[field] or 0)
      if unused > 0 then redis.call('HINCRBY', KEYS[1], field, unused) end
    end
    redis.call('HDEL', KEYS[2], ARGV[i])
  end
end
return tonumber(epoch)
