-- Everything there is, at one moment. KEYS: stock, grants.
-- Answers {time in ms, fields of stock, fields of grants}.
local now = redis.call('TIME')
local now_ms = now[1] * 1000 + math.floor(now[2] / 1000)
return {now_ms, redis.call('HGETALL', KEYS[1]), redis.call('HGETALL', KEYS[2])}
