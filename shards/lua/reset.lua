-- Begins a new epoch with these units and no open grants. Does nothing in that epoch or a later one, and nothing to
-- hashes of another owner, whatever their epoch.
-- KEYS: stock, grants. ARGV: owner (CLUSTER/SERVER), epoch, then a segment and its units for each.
-- Returns {1} when it did, {0, the current epoch}, or {-1, their owner or the empty string, the epoch}.
for _, key in ipairs(KEYS) do
  local held = redis.call('HMGET', key, 'cluster', 'epoch')
  if held[1] ~= ARGV[1] and redis.call('EXISTS', key) == 1 then return {'-1', held[1] or '', held[2] or ''} end
end
local epoch = redis.call('HGET', KEYS[1], 'epoch')
if epoch and epoch == redis.call('HGET', KEYS[2], 'epoch') and tonumber(epoch) >= tonumber(ARGV[2]) then return {'0', epoch} end
redis.call('DEL', KEYS[1], KEYS[2])
redis.call('HSET', KEYS[1], 'cluster', ARGV[1], 'epoch', ARGV[2], 'form', 'goods')
redis.call('HSET', KEYS[2], 'cluster', ARGV[1], 'epoch', ARGV[2])
for i = 3, #ARGV, 2 do redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 1]) end
return {'1'}
