-- Applies a change to a copy. ARGV: 2 expected version, 3 expected mark, 4 mark afterwards, 5 TTL in ms, 6 last access,
-- 7 expected last access, 8 whether the TTL may shrink ('1'), 9 index of the last ARGV with a field or value to set; from
-- 10 on the fields and values, behind them fields to remove.
local found = mismatch(ARGV[2], ARGV[3])
if found then
  return found
end
local last = tonumber(ARGV[9])
if last > 9 then
  hset(10, last)
end
for i = last + 1, #ARGV do
  redis.call('HDEL', KEYS[1], ARGV[i])
end
if ARGV[4] ~= '' then
  redis.call('HSET', KEYS[1], 'unpersisted', ARGV[4])
elseif ARGV[3] ~= '' then
  redis.call('HDEL', KEYS[1], 'unpersisted')
end
local access = redis.call('HGET', KEYS[1], 'lastAccessedTime')
if access == ARGV[7] then
  redis.call('HSET', KEYS[1], 'lastAccessedTime', ARGV[6])
end
if access == ARGV[7] or ARGV[8] == '1' then
  redis.call('PEXPIRE', KEYS[1], ARGV[5])
end
if access ~= ARGV[7] then
  return {'moved', access}
end
return {'done'}
