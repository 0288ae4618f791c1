-- Writes notes of a topic in one step.
-- KEYS: the topic. ARGV: how many are written, their keys and values by turns, the keys to erase.
local written = 2 * tonumber(ARGV[1])
for i = 2, written, 2 do redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 1]) end
for i = written + 2, #ARGV do redis.call('HDEL', KEYS[1], ARGV[i]) end
return 1
