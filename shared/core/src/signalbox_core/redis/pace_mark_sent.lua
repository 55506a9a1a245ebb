-- A request left later than its permit was granted: measure the distance to the next one from now.
-- KEYS: pace (as in pace_acquire.lua)
-- ARGV: min_spacing_ms, margin
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local pace = redis.call('HMGET', KEYS[1], 'next_at', 'interval')
local interval = math.max(tonumber(ARGV[1]), tonumber(pace[2] or 0))
redis.call('HSET', KEYS[1], 'next_at', math.max(tonumber(pace[1] or 0), now + interval / tonumber(ARGV[2])))
return 1
