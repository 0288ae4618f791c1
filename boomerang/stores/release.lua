-- Ends the hold of a failure before its instant: the mark stays, its release instant is now.
-- KEYS: the mark of the identity (see claim.lua). Needs Redis 6 (KEEPTTL).
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local mark = redis.call('GET', KEYS[1])
if not mark then return 0 end
local count, release = string.match(mark, '^(%d+):(%d+)$')
if tonumber(release) > now then
  redis.call('SET', KEYS[1], string.format('%s:%.0f', count, now), 'KEEPTTL')
end
return 1
