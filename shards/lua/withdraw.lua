-- Takes units of one prize away for good, once per operation and epoch: asked again it answers what
-- it took. KEYS: stock, grants. ARGV: operation, count, then the prize's segments here.
-- Answers {epoch, "segment count ..."}; {-1} when this server must be rebuilt.
local epoch = redis.call('HGET', KEYS[1], 'epoch')
if not epoch or epoch ~= redis.call('HGET', KEYS[2], 'epoch') then return {-1} end
local taken = redis.call('HGET', KEYS[1], 'operation:' .. ARGV[1])
if taken then return {tonumber(epoch), taken} end
local want, note = tonumber(ARGV[2]), {}
for i = 3, #ARGV do
  local got = math.min(tonumber(redis.call('HGET', KEYS[1], ARGV[i]) or '0'), want)
  if got > 0 then
    redis.call('HINCRBY', KEYS[1], ARGV[i], -got)
    want = want - got
    note[#note + 1] = ARGV[i] .. ' ' .. got
  end
end
taken = table.concat(note, ' ')
redis.call('HSET', KEYS[1], 'operation:' .. ARGV[1], taken)
return {tonumber(epoch), taken}
