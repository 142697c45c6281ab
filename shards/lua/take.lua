-- Takes units of items under a new grant: of each item what is wanted or left, or nothing at all.
-- KEYS: stock, grants. ARGV: grant, shard, first segment here, step to the next, how many segments
-- here, the lane's number, then an item and a count for each item wanted.
-- Returns {epoch, index of the item, segment, count, ...}; {-1} when this server must be rebuilt,
-- {-2} when the grant is known, and {-3, index of the item, ...} when there may be more units of an
-- item than were found: a segment without a field waits for its delivery, which is not the same as 0.
if not epoch then return {-1} end
if redis.call('HEXISTS', KEYS[2], ARGV[1]) == 1 then return {-2} end
local first, step = tonumber(ARGV[3]), tonumber(ARGV[4])
local segments, lane = tonumber(ARGV[5]), tonumber(ARGV[6])
local result, undelivered, taken = {tonumber(epoch)}, {-3}, {}
for i = 7, #ARGV, 2 do
  local want, delivered = tonumber(ARGV[i + 1]), true
  for n = 0, segments - 1 do
    if want == 0 then break end
    local segment = first + step * ((lane + n) % segments)
    local field = ARGV[i] .. ':' .. segment
    local left = redis.call('HGET', KEYS[1], field)
    if not left then delivered = false end
    local got = math.min(tonumber(left or '0'), want)
    if got > 0 then
      want = want - got
      result[#result + 1] = (i - 7) / 2
      result[#result + 1] = segment
      result[#result + 1] = got
      taken[#taken + 1] = field
      taken[#taken + 1] = got
    end
  end
  if want > 0 and not delivered then undelivered[#undelivered + 1] = (i - 7) / 2 end
end
if #undelivered > 1 then return undelivered end
for i = 1, #taken, 2 do redis.call('HINCRBY', KEYS[1], taken[i], -taken[i + 1]) end
if #taken > 0 then
  local now = redis.call('TIME')
  local now_ms = string.format('%.0f', now[1] * 1000 + math.floor(now[2] / 1000))
  redis.call('HSET', KEYS[2], ARGV[1], ARGV[2] .. ' ' .. now_ms .. ' ' .. table.concat(taken, ' '))
end
return result
