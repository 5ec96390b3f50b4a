-- Applies a change to a copy. ARGV: 2 expected version, 3 expected mark, 4 mark afterwards, 5 TTL in ms, 6 expected last
-- access, 7 whether the TTL may shrink ('1'), 8 index of the last ARGV with a value to set; from 9 on the fields and values,
-- the last access first; behind them fields to remove.
local found, access = mismatch(ARGV[2], ARGV[3])
if found then
  return found
end
local last = tonumber(ARGV[8])
local first = access == ARGV[6] and 9 or 11
-- Removals first, since a Redis that is out of memory refuses a script only if its first write takes memory.
for i = last + 1, #ARGV do
  redis.call('HDEL', KEYS[1], ARGV[i])
end
if first < last then
  hset(first, last)
end
if ARGV[4] ~= '' then
  redis.call('HSET', KEYS[1], 'unpersisted', ARGV[4])
elseif ARGV[3] ~= '' then
  redis.call('HDEL', KEYS[1], 'unpersisted')
end
if access == ARGV[6] or ARGV[7] == '1' then
  redis.call('PEXPIRE', KEYS[1], ARGV[5])
end
if access ~= ARGV[6] then
  return {'moved', access}
end
return {'done'}
