-- Adds the units of one operation, once and only in the epoch under which it was recorded.
-- KEYS: stock, grants. ARGV: epoch, operation, then a segment and its units for each.
-- Returns the epoch; -1 when this server must be rebuilt.
if not epoch then return -1 end
if epoch == ARGV[1] and redis.call('HSETNX', KEYS[1], 'operation:' .. ARGV[2], '') == 1 then
  for i = 3, #ARGV, 2 do redis.call('HINCRBY', KEYS[1], ARGV[i], ARGV[i + 1]) end
end
return tonumber(epoch)
