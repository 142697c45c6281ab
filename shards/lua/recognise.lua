-- Finds out who owns the hashes. Hashes without an owner were written by an older version: they are adopted if they
-- are of the given epoch. KEYS: stock, grants. ARGV: owner (CLUSTER/SERVER), epoch to adopt or the empty string.
-- Returns {their owner, the epoch}: the given owner where there are no hashes, the empty string where they name none.
local adopted = {}
for _, key in ipairs(KEYS) do
  local held = redis.call('HMGET', key, 'cluster', 'epoch')
  if held[1] ~= ARGV[1] and redis.call('EXISTS', key) == 1 then
    if held[1] or held[2] ~= ARGV[2] then return {held[1] or '', held[2] or ''} end
    adopted[#adopted + 1] = key
  end
end
for _, key in ipairs(adopted) do redis.call('HSET', key, 'cluster', ARGV[1]) end
return {ARGV[1], ARGV[2]}
