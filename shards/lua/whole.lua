-- Begins each script that works on the units. KEYS: stock, grants. ARGV: the cluster, which is taken out, then the
-- script's own. `epoch` is false unless both hashes are there, of one epoch, and this cluster's.
local cluster, epoch = table.remove(ARGV, 1), false
do
  local stock = redis.call('HMGET', KEYS[1], 'epoch', 'cluster')
  local grants = redis.call('HMGET', KEYS[2], 'epoch', 'cluster')
  if stock[2] == cluster and grants[2] == cluster and stock[1] == grants[1] then epoch = stock[1] end
end

