-- Return a permit and adapt the pace to the outcome of the call. All times are this server's, in ms.
-- KEYS: pace, flight (as in pace_acquire.lua)
-- ARGV: permit, outcome (ok, limited, slow, other), started_ms, min_spacing_ms, max_spacing_ms, wait_ms,
--       breaker_threshold, rest_ms, max_rest_ms, recovery, keep_ms
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local outcome, started = ARGV[2], tonumber(ARGV[3])
local min_spacing, max_spacing, wait = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])
local threshold, rest, max_rest = tonumber(ARGV[7]), tonumber(ARGV[8]), tonumber(ARGV[9])
redis.call('ZREM', KEYS[2], ARGV[1])
local pace = redis.call('HMGET', KEYS[1], 'next_at', 'interval', 'resume_at', 'strikes', 'slowed_at', 'took')
local next_at, resume_at = tonumber(pace[1] or 0), tonumber(pace[3] or 0)
local interval = math.max(min_spacing, tonumber(pace[2] or 0))
local strikes, slowed_at, took = tonumber(pace[4] or 0), tonumber(pace[5] or 0), tonumber(pace[6] or 0)

if outcome == 'ok' then
  interval = math.max(min_spacing, interval * tonumber(ARGV[10]))
  strikes = 0
  took = took == 0 and now - started or took * 0.8 + (now - started) * 0.2
elseif outcome == 'limited' or outcome == 'slow' then
  -- Calls that were in flight together slow the pace down once.
  if started >= slowed_at then
    interval = math.min(max_spacing, math.max(interval, 50) * 2)
    slowed_at = now
    strikes = strikes + 1
    next_at = math.max(next_at, started + interval)
  end
  if outcome == 'limited' then
    resume_at = math.max(resume_at, now + wait)
  end
  if strikes >= threshold then
    resume_at = math.max(resume_at, now + math.min(max_rest, rest * 2 ^ math.min(strikes - threshold, 10)))
  end
end
redis.call('HSET', KEYS[1], 'next_at', next_at, 'interval', interval, 'resume_at', resume_at,
  'strikes', strikes, 'slowed_at', slowed_at, 'took', took)
redis.call('PEXPIRE', KEYS[1], ARGV[11])
return {math.ceil(interval), math.ceil(math.max(0, resume_at - now)), strikes}
