-- The beginning of each script that works on the units. KEYS: stock, grants. ARGV: the owner (CLUSTER/SERVER), which is
-- removed, then the script's own. `epoch` is false unless both hashes exist, have the same epoch, are the owner's, and
-- name their fields as this version does.
local owner, epoch = table.remove(ARGV, 1), false
do
  local stock = redis.call('HMGET', KEYS[1], 'epoch', 'cluster', 'form')
  local grants = redis.call('HMGET', KEYS[2], 'epoch', 'cluster')
  if stock[2] == owner and grants[2] == owner and stock[1] == grants[1] and stock[3] == 'goods' then epoch = stock[1] end
end

