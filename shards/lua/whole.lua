-- The beginning of each script that works on the units. KEYS: stock, grants. ARGV: the owner (CLUSTER/SERVER), which is
-- removed, then the script's own. `epoch` is false unless both hashes exist, have the same epoch, and are the owner's.
local owner, epoch = table.remove(ARGV, 1), false
do
  local stock = redis.call('HMGET', KEYS[1], 'epoch', 'cluster')
  local grants = redis.call('HMGET', KEYS[2], 'epoch', 'cluster')
  if stock[2] == owner and grants[2] == owner and stock[1] == grants[1] then epoch = stock[1] end
end

