-- Counts a failure: the rule of marks.py, as one atomic step in Redis, by the clock of Redis.
-- KEYS: the mark of the identity, the mark of the call, or one of the two.
-- ARGV: wait, window (milliseconds), attempts, and which keys there are: both, identity or call.
-- A mark is "count:release instant in milliseconds since the epoch"; its expiry is the key's own.
-- Returns {attempt, milliseconds to the release instant, round, milliseconds since the release of
-- the attempt before, or -1}. Needs Redis 6 (KEEPTTL).
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local wait, window, attempts = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local identity = ARGV[4] ~= 'call' and KEYS[1] or nil
local call = ARGV[4] == 'both' and KEYS[2] or ARGV[4] == 'call' and KEYS[1] or nil

local function read(key)
  local mark = key and redis.call('GET', key)
  -- More than a window (and marks.py's second of slack) to live: the clock has been set back.
  if not mark or redis.call('PTTL', key) > window + 1000 then return 0, 0 end
  local count, release = string.match(mark, '^(%d+):(%d+)$')
  return tonumber(count), tonumber(release)
end

local function write(key, count, release)
  local mark = string.format('%d:%.0f', count, release)
  if count == 1 then
    redis.call('SET', key, mark, 'PX', window)
  else
    redis.call('SET', key, mark, 'KEEPTTL')
  end
end

local attempt, release = read(identity)
local round = read(call)
if release > now then
  return {attempt, release - now, round, -1}
end
local after = attempt > 0 and now - release or -1
release = now
if identity then
  attempt = attempt + 1
  if attempt <= attempts then release = now + wait end
  write(identity, attempt, release)
end
if call then
  round = round + 1
  write(call, round, now)
end
return {attempt, release - now, round, after}
