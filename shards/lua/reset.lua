-- Begins a new epoch with these units and no open grants; does nothing in that epoch or a later one.
-- KEYS: stock, grants. ARGV: epoch, then a segment and its units for each. Answers 1 when it did.
local epoch = redis.call('HGET', KEYS[1], 'epoch')
if epoch and epoch == redis.call('HGET', KEYS[2], 'epoch') and tonumber(epoch) >= tonumber(ARGV[1]) then return 0 end
redis.call('DEL', KEYS[1], KEYS[2])
redis.call('HSET', KEYS[1], 'epoch', ARGV[1])
redis.call('HSET', KEYS[2], 'epoch', ARGV[1])
for i = 2, #ARGV, 2 do redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 1]) end
return 1
