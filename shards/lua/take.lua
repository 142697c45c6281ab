-- Takes units of prizes under a new grant.
-- KEYS: stock, grants. ARGV: grant, shard, first segment here, step to the next, how many segments
-- here, place to begin at, then a prize and a count for each prize wanted.
-- Answers {epoch, index of the prize, segment, count, ...}; {-1} when this server must be rebuilt,
-- {-2} when the grant is known.
if not epoch then return {-1} end
if redis.call('HEXISTS', KEYS[2], ARGV[1]) == 1 then return {-2} end
local first, step = tonumber(ARGV[3]), tonumber(ARGV[4])
local segments, place = tonumber(ARGV[5]), tonumber(ARGV[6])
local answer, note = {tonumber(epoch)}, {}
for i = 7, #ARGV, 2 do
  local want = tonumber(ARGV[i + 1])
  for n = 0, segments - 1 do
    if want == 0 then break end
    local segment = first + step * ((place + n) % segments)
    local field = ARGV[i] .. ':' .. segment
    local got = math.min(tonumber(redis.call('HGET', KEYS[1], field) or '0'), want)
    if got > 0 then
      redis.call('HINCRBY', KEYS[1], field, -got)
      want = want - got
      answer[#answer + 1] = (i - 7) / 2
      answer[#answer + 1] = segment
      answer[#answer + 1] = got
      note[#note + 1] = field .. ' ' .. got
    end
  end
end
if #note > 0 then
  local now = redis.call('TIME')
  local now_ms = string.format('%.0f', now[1] * 1000 + math.floor(now[2] / 1000))
  redis.call('HSET', KEYS[2], ARGV[1], ARGV[2] .. ' ' .. now_ms .. ' ' .. table.concat(note, ' '))
end
return answer
