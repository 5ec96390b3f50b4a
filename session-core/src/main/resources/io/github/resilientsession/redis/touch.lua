-- Moves the last access of a copy forward. ARGV: 2 expected version, 3 expected mark, 4 TTL in ms, 5 last access,
-- 6 expected last access: which of two is later is for the caller to say, since a script cannot read them.
local found, last = mismatch(ARGV[2], ARGV[3])
if found then
  return found
end
if last ~= ARGV[6] then
  return {'moved', last}
end
-- PEXPIRE comes before HSET, since a Redis that is out of memory refuses a script only if its first write takes memory.
redis.call('PEXPIRE', KEYS[1], ARGV[4])
redis.call('HSET', KEYS[1], 'lastAccessedTime', ARGV[5])
return {'done'}
