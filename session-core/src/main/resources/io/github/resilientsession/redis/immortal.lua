-- Looks at some keys, and tells which of them have no TTL. Writes nothing.
-- ARGV: 2 cursor, 3 pattern of the keys, 4 how many to look at.
local page = redis.call('SCAN', ARGV[2], 'MATCH', ARGV[3], 'COUNT', ARGV[4])
local answer = {'done', page[1], #page[2]}
for _, key in ipairs(page[2]) do
  if redis.call('PTTL', key) == -1 then
    answer[#answer + 1] = key
  end
end
return answer
