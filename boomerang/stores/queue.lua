-- The queue of the relay: each command is one atomic step in Redis, by the clock of Redis.
-- KEYS: the queue's hash; all other keys begin like it, with the same hash tag.
-- ARGV: the command, and what it needs. Instants and pauses are milliseconds.
--
-- A number has 15 digits, so that those which are due at the same instant are sorted by it.
--
-- queue           hash: newest number, when a command last saw the clock, totals by state
-- <number>        hash: a callback
-- all             numbers by number     waiting  numbers by when they were received
-- died            numbers of dead letters by when they died
-- line:<line>     numbers that wait, by number; a line is an order and an origin
-- ready:<origin>  the first number of each line, by when it may be taken: when it is due, or when
--                 the lease on its line ends
-- origins         those that have a ready:
-- leases, held    line to "number end holder", number to line
-- keys            names of keys, by when they were accepted
local base = string.sub(KEYS[1], 1, -6)
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

local function lease_of(line)
  local lease = redis.call('HGET', base .. 'leases', line)
  if not lease then return nil end
  local number, ends, holder = string.match(lease, '^(%d+) (%d+) (.*)$')
  return number, tonumber(ends), holder
end

local function set_lease(line, number, ends, holder)
  redis.call('HSET', base .. 'leases', line, string.format('%s %.0f %s', number, ends, holder))
  redis.call('HSET', base .. 'held', number, line)
end

local function unready(number)
  local origin = redis.call('HGET', base .. number, 'origin')
  redis.call('ZREM', base .. 'ready:' .. origin, number)
end

-- Says anew when the first of a line is ready.
local function refresh(line)
  local first = redis.call('ZRANGE', base .. 'line:' .. line, 0, 1)
  if not first[1] then return end
  if first[2] then unready(first[2]) end
  local callback = redis.call('HMGET', base .. first[1], 'origin', 'due')
  local ready, _, ends = tonumber(callback[2]), lease_of(line)
  if ends and ends > ready then ready = ends end
  redis.call('ZADD', base .. 'ready:' .. callback[1], ready, first[1])
  redis.call('SADD', base .. 'origins', callback[1])
end

local function count(state, by, size)
  redis.call('HINCRBY', KEYS[1], state, by)
  redis.call('HINCRBY', KEYS[1], state .. '_bytes', by * size)
end

-- Lets a callback wait in its line.
local function enter(number)
  local callback = redis.call('HMGET', base .. number, 'line', 'received', 'size')
  redis.call('HSET', base .. number, 'state', 'waiting')
  redis.call('ZADD', base .. 'waiting', callback[2], number)
  redis.call('ZADD', base .. 'line:' .. callback[1], number, number)
  count('waiting', 1, callback[3])
  refresh(callback[1])
end

-- Takes a callback from its line, or from among the dead; returns its line, nil if it is gone.
local function leave(number)
  local callback = redis.call('HMGET', base .. number, 'line', 'state', 'size')
  local line = callback[1]
  if not line then return nil end
  count(callback[2], -1, callback[3])
  if callback[2] == 'dead' then
    redis.call('ZREM', base .. 'died', number)
  else
    unready(number)
    redis.call('ZREM', base .. 'waiting', number)
    redis.call('ZREM', base .. 'line:' .. line, number)
    refresh(line)
  end
  return line
end

local function forget(number)
  if not leave(number) then return 0 end
  redis.call('ZREM', base .. 'all', number)
  redis.call('DEL', base .. number)
  return 1
end

local function end_lease(number, holder)
  local line = redis.call('HGET', base .. 'held', number)
  if not line then return end
  local leased, _, by = lease_of(line)
  if leased == number and by == holder then
    redis.call('HDEL', base .. 'leases', line)
    redis.call('HDEL', base .. 'held', number)
    refresh(line)
  end
end

-- Moves all that was to be later when the clock was set back.
local function notice_time()
  local back = tonumber(redis.call('HGET', KEYS[1], 'seen') or now) - now
  if back > 1000 then
    for _, number in ipairs(redis.call('ZRANGE', base .. 'waiting', 0, -1)) do
      redis.call('HINCRBY', base .. number, 'due', -back)
    end
    local leases = redis.call('HGETALL', base .. 'leases')
    for i = 1, #leases, 2 do
      local number, ends, holder = lease_of(leases[i])
      set_lease(leases[i], number, ends - back, holder)
    end
    for _, origin in ipairs(redis.call('SMEMBERS', base .. 'origins')) do
      local key = base .. 'ready:' .. origin
      for _, number in ipairs(redis.call('ZRANGE', key, 0, -1)) do
        redis.call('ZINCRBY', key, -back, number)
      end
    end
  end
  if math.abs(back) > 250 or back == 0 then redis.call('HSET', KEYS[1], 'seen', now) end
end

local function shown(number)
  return redis.call('HMGET', base .. number, 'number', 'state', 'attempts', 'due', 'last', 'record')
end

local commands = {}

-- ARGV: most, most bytes, most keys, for how long they are remembered; for each callback the name
-- of its key, line, origin, endpoint, when it was received (seconds), record.
-- Returns for each: 1 stored, 0 known, -1 and -2 no room by number, by size.
function commands.accept()
  notice_time()
  local keys, results = base .. 'keys', {}
  for i = 6, #ARGV, 6 do
    local size = string.len(ARGV[i + 5])
    local standing = redis.call('HMGET', KEYS[1], 'waiting', 'waiting_bytes')
    if tonumber(redis.call('ZSCORE', keys, ARGV[i]) or 0) > now - ARGV[5] then
      table.insert(results, 0)
    elseif tonumber(standing[1] or 0) >= tonumber(ARGV[2]) then
      table.insert(results, -1)
    elseif (standing[2] or 0) + size > tonumber(ARGV[3]) then
      table.insert(results, -2)
    else
      local number = string.format('%015.0f', redis.call('HINCRBY', KEYS[1], 'newest', 1))
      redis.call('ZADD', keys, now, ARGV[i])
      redis.call('HSET', base .. number, 'number', number, 'line', ARGV[i + 1],
        'origin', ARGV[i + 2], 'endpoint', ARGV[i + 3], 'received', ARGV[i + 4],
        'record', ARGV[i + 5], 'size', size, 'attempts', 0, 'due', now, 'last', '')
      redis.call('ZADD', base .. 'all', number, number)
      enter(number)
      table.insert(results, 1)
    end
  end
  redis.call('ZREMRANGEBYSCORE', keys, '-inf', now - ARGV[5])
  redis.call('ZREMRANGEBYRANK', keys, 0, -1 - ARGV[4])
  return results
end

-- ARGV: holder, most, lease, room of each origin; origins and their rooms by turns.
function commands.take()
  notice_time()
  local holder, most, due, rooms = ARGV[2], tonumber(ARGV[3]), {}, {}
  for i = 6, #ARGV, 2 do rooms[ARGV[i]] = tonumber(ARGV[i + 1]) end
  for _, origin in ipairs(redis.call('SMEMBERS', base .. 'origins')) do
    local key = base .. 'ready:' .. origin
    local room = math.min(most, rooms[origin] or tonumber(ARGV[5]))
    if room > 0 then
      local found = redis.call('ZRANGEBYSCORE', key, '-inf', now, 'WITHSCORES', 'LIMIT', 0, room)
      for i = 1, #found, 2 do
        table.insert(due, {tonumber(found[i + 1]), tonumber(found[i]), found[i]})
      end
      if not found[1] and redis.call('EXISTS', key) == 0 then
        redis.call('SREM', base .. 'origins', origin)
      end
    end
  end
  table.sort(due, function(a, b) return a[1] < b[1] or a[1] == b[1] and a[2] < b[2] end)
  local taken = {}
  for i = 1, math.min(most, #due) do
    local number = due[i][3]
    local line = redis.call('HGET', base .. number, 'line')
    local before = lease_of(line)
    if before then redis.call('HDEL', base .. 'held', before) end
    set_lease(line, number, now + ARGV[4], holder)
    refresh(line)
    table.insert(taken, shown(number))
  end
  return taken
end

-- ARGV: holder, lease, numbers. Returns the numbers that the holder still has.
function commands.renew()
  notice_time()
  local kept = {}
  for i = 4, #ARGV do
    local line = redis.call('HGET', base .. 'held', ARGV[i])
    local number, ends, holder = lease_of(line or '')
    if line and number == ARGV[i] and holder == ARGV[2] and ends > now then
      set_lease(line, number, now + ARGV[3], holder)
      refresh(line)
      table.insert(kept, number)
    end
  end
  return kept
end

-- ARGV: for each outcome its kind, holder, number, pause, last words. Returns 1 or 0 for each.
function commands.settle()
  notice_time()
  local results = {}
  for i = 2, #ARGV, 5 do
    local kind, holder, number = ARGV[i], ARGV[i + 1], ARGV[i + 2]
    local callback = redis.call('HMGET', base .. number, 'state', 'line', 'size')
    local _, ends, by = lease_of(callback[2] or '')
    local done = 0
    if kind == 'delivered' then
      done = forget(number)
    elseif callback[1] == 'waiting' and (not by or by == holder or ends <= now) then
      done = 1
      redis.call('HINCRBY', base .. number, 'attempts', 1)
      redis.call('HSET', base .. number, 'last', ARGV[i + 4])
      if kind == 'put_off' then
        redis.call('HSET', base .. number, 'due', now + ARGV[i + 3])
        refresh(callback[2])
      else
        leave(number)
        redis.call('HSET', base .. number, 'state', 'dead')
        redis.call('ZADD', base .. 'died', now, number)
        count('dead', 1, callback[3])
      end
    end
    end_lease(number, holder)
    table.insert(results, done)
  end
  return results
end

-- ARGV: holder, numbers.
function commands.hand_back()
  for i = 3, #ARGV do end_lease(ARGV[i], ARGV[2]) end
  return 1
end

-- ARGV: numbers. Returns how many there are.
function commands.replay()
  notice_time()
  local done = 0
  for i = 2, #ARGV do
    if leave(ARGV[i]) then
      redis.call('HSET', base .. ARGV[i], 'attempts', 0, 'due', now)
      enter(ARGV[i])
      done = done + 1
    end
  end
  return done
end

-- ARGV: numbers. Returns how many there were.
function commands.drop()
  local done = 0
  for i = 2, #ARGV do done = done + forget(ARGV[i]) end
  return done
end

-- ARGV: after which number, how many to look at, how many to show, a filter in JSON, and numbers if
-- only those are wanted. Returns where to go on ('' at the end) and what was found.
function commands.look()
  local wanted, found, last = cjson.decode(ARGV[5]), {}, ''
  local numbers = {unpack(ARGV, 6)}
  if not wanted.numbers then
    numbers = redis.call('ZRANGEBYSCORE', base .. 'all', '(' .. ARGV[2], '+inf',
      'LIMIT', 0, ARGV[3])
    last = numbers[#numbers] or ''
  end
  for _, number in ipairs(numbers) do
    local it = redis.call('HMGET', base .. number, 'state', 'endpoint', 'line', 'origin', 'received')
    local received = tonumber(it[5] or 0)
    if it[1]
      and (not wanted.state or wanted.state == it[1])
      and (not wanted.endpoint or wanted.endpoint == it[2])
      and (not wanted.order or wanted.order .. ' ' .. it[4] == it[3])
      and (not wanted.host or wanted.host == it[4] or wanted.host == string.match(it[4], '^(.*):'))
      and (not wanted.before or received < wanted.before)
      and (not wanted.since or received > wanted.since) then
      table.insert(found, shown(number))
      if #found == tonumber(ARGV[4]) then return {number, found} end
    end
  end
  return {last, found}
end

-- ARGV: for how long dead letters are kept, most bytes of them, how many to forget at most.
-- Returns how many were forgotten for their age, and for their size.
function commands.sweep()
  notice_time()
  local age, size = 0, 0
  local oldest = redis.call('ZRANGE', base .. 'died', 0, ARGV[4] - 1, 'WITHSCORES')
  for i = 1, #oldest, 2 do
    if tonumber(oldest[i + 1]) <= now - ARGV[2] then
      age = age + forget(oldest[i])
    elseif tonumber(redis.call('HGET', KEYS[1], 'dead_bytes') or 0) > tonumber(ARGV[3]) then
      size = size + forget(oldest[i])
    else
      break
    end
  end
  local held = redis.call('HGETALL', base .. 'held')
  for i = 1, #held, 2 do
    local number, ends, holder = lease_of(held[i + 1])
    if number and ends <= now then end_lease(number, holder) end
  end
  return {age, size}
end

function commands.stats()
  local totals = redis.call('HMGET', KEYS[1], 'waiting', 'waiting_bytes', 'dead', 'dead_bytes')
  local oldest = redis.call('ZRANGE', base .. 'waiting', 0, 0, 'WITHSCORES')
  return {totals[1] or 0, totals[2] or 0, totals[3] or 0, totals[4] or 0, oldest[2] or ''}
end

-- While its slot moves from one server of a cluster to another, some of the keys are here and some
-- there, and a script would stop halfway: looking for what is nowhere makes it stop here.
redis.call('EXISTS', base .. 'nowhere')

-- A Redis that is full (maxmemory) refuses scripts whose first write may need memory, and goes on
-- with others: acceptances are refused, deliveries go on, which is what makes room.
if ARGV[1] ~= 'accept' and ARGV[1] ~= 'look' and ARGV[1] ~= 'stats' then
  redis.call('HDEL', KEYS[1], 'nothing')
end
return commands[ARGV[1]]()
