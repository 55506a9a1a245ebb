-- Ask for a permit to start one call. All times are this server's, in ms.
-- KEYS: pace (hash), flight (sorted set: permit -> when its lease ends)
-- ARGV: permit, min_spacing_ms, max_in_flight, lease_ms, breaker_threshold, keep_ms, margin
-- pace: next_at, interval, resume_at, strikes, slowed_at, took
-- Returns {verdict, wait_ms, interval_ms, now_ms}; verdict: go, space, full, cool or broken.
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local min_spacing, limit, threshold = tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[5])
local pace = redis.call('HMGET', KEYS[1], 'next_at', 'interval', 'resume_at', 'strikes', 'took')
local next_at, resume_at = tonumber(pace[1] or 0), tonumber(pace[3] or 0)
local interval = math.max(min_spacing, tonumber(pace[2] or 0))
local strikes, took = tonumber(pace[4] or 0), tonumber(pace[5] or 0)
local broken = strikes >= threshold

local function answer(verdict, wait)
  return {verdict, math.ceil(wait), math.ceil(interval), tostring(now)}
end

-- The client repeats a call whose reply was lost; it must not wait for its own permit.
if redis.call('ZSCORE', KEYS[2], ARGV[1]) then
  return answer('go', 0)
end
if resume_at > now then
  return answer(broken and 'broken' or 'cool', resume_at - now)
end
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', now)
-- Half-open circuit breaker: one call at a time probes whether the portal has recovered.
if broken then limit = 1 end
if redis.call('ZCARD', KEYS[2]) >= limit then
  local first = redis.call('ZRANGE', KEYS[2], 0, 0, 'WITHSCORES')
  local started = tonumber(first[2]) - tonumber(ARGV[4])
  return answer('full', math.min(200, math.max(5, started + took - now)))
end
if next_at > now then
  return answer('space', next_at - now)
end
-- Keep an even rhythm: a call that starts a little late does not delay the later ones,
-- but two calls are never closer than the interval without its margin.
redis.call('HSET', KEYS[1], 'next_at', math.max(next_at + interval, now + interval / tonumber(ARGV[7])))
redis.call('ZADD', KEYS[2], now + tonumber(ARGV[4]), ARGV[1])
redis.call('PEXPIRE', KEYS[1], ARGV[6])
redis.call('PEXPIRE', KEYS[2], ARGV[6])
return answer('go', 0)
