-- Appends to journals, and keeps of each the newest entries.
-- KEYS: the journals. ARGV: how many entries to keep, then for each journal their number and them.
for _, journal in ipairs(KEYS) do
  redis.call('LLEN', journal) -- what is no list fails here, before anything is appended
end
local place = 2
for _, journal in ipairs(KEYS) do
  local count = tonumber(ARGV[place])
  for i = place + 1, place + count do redis.call('RPUSH', journal, ARGV[i]) end
  redis.call('LTRIM', journal, -tonumber(ARGV[1]), -1)
  place = place + count + 1
end
return 1
