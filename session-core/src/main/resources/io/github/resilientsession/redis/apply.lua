-- Applies a change to a copy. ARGV: 2 expected version, 3 TTL in ms, 4 last access, 5 whether the TTL may shrink ('1'),
-- 6 index of the last ARGV with a field or value to set; from 7 on the fields and values, behind them fields to remove.
local found = mismatch(ARGV[2])
if found then
  return found
end
local last = tonumber(ARGV[6])
hset(7, last)
for i = last + 1, #ARGV do
  redis.call('HDEL', KEYS[1], ARGV[i])
end
if ARGV[5] == '1' or redis.call('PTTL', KEYS[1]) < tonumber(ARGV[3]) then
  redis.call('HSET', KEYS[1], 'lastAccessedTime', ARGV[4])
  redis.call('PEXPIRE', KEYS[1], ARGV[3])
end
return {'done'}
