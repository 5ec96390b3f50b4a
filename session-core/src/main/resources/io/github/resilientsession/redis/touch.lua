-- Moves the last access of a copy forward. ARGV: 2 expected version, 3 TTL in ms, 4 last access.
local found = mismatch(ARGV[2])
if found then
  return found
end
-- A longer TTL than ours means that a later access was first. PEXPIRE comes before HSET, since a Redis that is out of
-- memory refuses a script only if its first write takes memory.
if redis.call('PTTL', KEYS[1]) < tonumber(ARGV[3]) then
  redis.call('PEXPIRE', KEYS[1], ARGV[3])
  redis.call('HSET', KEYS[1], 'lastAccessedTime', ARGV[4])
end
return {'done'}
