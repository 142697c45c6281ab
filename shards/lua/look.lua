-- Reads everything, at one moment. KEYS: stock, grants.
-- Returns {time in ms, fields of stock, fields of grants}; no fields when this server must be rebuilt.
local now = redis.call('TIME')
local now_ms = now[1] * 1000 + math.floor(now[2] / 1000)
if not epoch then return {now_ms, {}, {}} end
return {now_ms, redis.call('HGETALL', KEYS[1]), redis.call('HGETALL', KEYS[2])}
