-- Counts a failure: the rule of marks.py, as one atomic step in Redis, by the clock of Redis.
-- KEYS: the mark of the identity, and that of the call if there is one.
-- ARGV: wait, window, call's window (milliseconds), attempts, and 1 if an identity that is not
-- known is not counted.
-- A mark is "count:release instant in milliseconds since the epoch"; its expiry is the key's own.
-- Returns {attempt, milliseconds to the release instant, round, milliseconds since the release of
-- the attempt before, or -1}. Needs Redis 6 (KEEPTTL).
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local wait, window, call_window = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local attempts, only_again = tonumber(ARGV[4]), ARGV[5] == '1'
local identity, call = KEYS[1], KEYS[2]

local function read(key, window)
  local mark = key and redis.call('GET', key)
  -- More than a window (and marks.py's second of slack) to live: the clock has been set back.
  if not mark or redis.call('PTTL', key) > window + 1000 then return 0, 0 end
  local count, release = string.match(mark, '^(%d+):(%d+)$')
  return tonumber(count), tonumber(release)
end

local function write(key, count, release, window)
  local mark = string.format('%d:%.0f', count, release)
  if count == 1 then
    redis.call('SET', key, mark, 'PX', window)
  else
    redis.call('SET', key, mark, 'KEEPTTL')
  end
end

local attempt, release = read(identity, window)
local round = read(call, call_window)
if release > now then
  return {attempt, release - now, round, -1}
end
local after = attempt > 0 and now - release or -1
release = now
if attempt > 0 or not only_again then
  attempt = attempt + 1
  if attempt <= attempts then release = now + wait end
  write(identity, attempt, release, window)
end
if call then
  round = round + 1
  write(call, round, now, call_window)
end
return {attempt, release - now, round, after}
