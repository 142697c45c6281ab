-- Removes units of one item for good, once per operation and only in the epoch in which that was
-- decided. A repeat returns what was taken; in another epoch nothing is.
-- KEYS: stock, grants. ARGV: epoch, operation, count, then the item's segments here.
-- Returns {epoch, "segment count ..."}; {-1} when this server must be rebuilt.
if not epoch then return {-1} end
if epoch ~= ARGV[1] then return {tonumber(epoch), ''} end
local taken = redis.call('HGET', KEYS[1], 'operation:' .. ARGV[2])
if taken then return {tonumber(epoch), taken} end
local want, note = tonumber(ARGV[3]), {}
for i = 4, #ARGV do
  local got = math.min(tonumber(redis.call('HGET', KEYS[1], ARGV[i]) or '0'), want)
  if got > 0 then
    redis.call('HINCRBY', KEYS[1], ARGV[i], -got)
    want = want - got
    note[#note + 1] = ARGV[i] .. ' ' .. got
  end
end
taken = table.concat(note, ' ')
redis.call('HSET', KEYS[1], 'operation:' .. ARGV[2], taken)
return {tonumber(epoch), taken}
