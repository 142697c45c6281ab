-- Finds out whose the hashes are. What does not say so was written by an older version: it is taken over when it is of
-- the given epoch. KEYS: stock, grants. ARGV: owner (CLUSTER/SERVER), epoch to take over or the empty text.
-- Answers {their owner, the epoch}: the given one where there is nothing, the empty text where nothing says so.
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
