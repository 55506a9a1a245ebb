"""The Lua scripts of the claims. Each is atomic, on the keys of one sender."""

from typing import Final

# Expired claims are marked too, because their events have been published.
_MARK: Final = """
local function mark(key, token, digest, ttl)
  local held = redis.call('GET', key)
  if not held or held == 'busy:' .. token then redis.call('SET', key, 'done:' .. digest, 'EX', ttl) end
end
"""
# KEYS: nonce, events…, finished events…
# ARGV: token, nonce ttl, busy ttl, done ttl, number of runs, events of each run…, digests…, and of each
# finished event its token and its digest.
# Per run: the indexes of its new events, or why none of its events is claimed. The nonce is used up unless no
# run has a claim.
CLAIM: Final = f"""{_MARK}
local runs, events = tonumber(ARGV[5]), 0
for run = 1, runs do events = events + tonumber(ARGV[5 + run]) end
local taken = 5 + runs + events
for i = events + 2, #KEYS do
  mark(KEYS[i], ARGV[taken + 1], ARGV[taken + 2], ARGV[4])
  taken = taken + 2
end
if redis.call('EXISTS', KEYS[1]) == 1 then return {{'nonce'}} end
local results, claimed, first = {{'claimed'}}, false, 2
for run = 1, runs do
  local last, state, fresh = first + tonumber(ARGV[5 + run]) - 1, 'fresh', {{}}
  for i = first, last do
    local held = redis.call('GET', KEYS[i])
    if not held then
      fresh[#fresh + 1] = i - first
    elseif string.sub(held, 1, 5) == 'busy:' then
      state = 'busy'
      break
    elseif held ~= 'done:' .. ARGV[4 + runs + i] then
      state = 'conflict'
      break
    end
  end
  if state == 'fresh' then
    claimed = true
    for _, n in ipairs(fresh) do
      redis.call('SET', KEYS[first + n], 'busy:' .. ARGV[1], 'EX', ARGV[3])
    end
    results[run + 1] = fresh
  else
    results[run + 1] = state
  end
  first = last + 1
end
if claimed then redis.call('SET', KEYS[1], ARGV[1], 'EX', ARGV[2]) end
return results
"""
# KEYS: events…  ARGV: done ttl, and of each event its token and its digest
FINISH: Final = f"""{_MARK}
for i = 1, #KEYS do mark(KEYS[i], ARGV[2 * i], ARGV[2 * i + 1], ARGV[1]) end
"""
# KEYS: nonce and events…  ARGV: token
RELEASE: Final = """
for _, key in ipairs(KEYS) do
  local held = redis.call('GET', key)
  if held == ARGV[1] or held == 'busy:' .. ARGV[1] then redis.call('DEL', key) end
end
"""
