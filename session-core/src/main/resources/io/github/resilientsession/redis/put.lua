-- Puts a whole copy or tombstone. ARGV: 2 condition ('absent', 'match', 'persisted' or 'always'), 3 expected version,
-- 4 expected mark, 5 TTL in ms, 6 for 'match' the expected last access, or '' for any; from 7 on the fields and values.
local condition = ARGV[2]
if condition == 'absent' then
  if redis.call('EXISTS', KEYS[1]) == 1 then
    local copy = redis.call('HMGET', KEYS[1], 'version', 'unpersisted')
    return {'other', copy[1] or '', copy[2] or ''}
  end
elseif condition == 'match' then
  local found, last = mismatch(ARGV[3], ARGV[4])
  if found then
    return found
  end
  if ARGV[6] ~= '' and last ~= ARGV[6] then
    return {'moved', last}
  end
  -- What a newer version of this library has added stays. A TTL first: a Redis that is out of memory refuses a script
  -- only if its first write takes memory, which is right for a rebuild, but what takes another's place cannot wait.
  redis.call('PEXPIRE', KEYS[1], ARGV[5])
  for _, field in ipairs(redis.call('HKEYS', KEYS[1])) do
    if field == 'unpersisted' or field == 'version' or string.sub(field, 1, 12) == 'sessionAttr:' then
      redis.call('HDEL', KEYS[1], field)
    end
  end
else
  if condition == 'persisted' and redis.call('TYPE', KEYS[1]).ok == 'hash' then
    local copy = redis.call('HMGET', KEYS[1], 'version', 'unpersisted')
    if copy[2] then
      return {'other', copy[1] or '', copy[2]}
    end
  end
  redis.call('DEL', KEYS[1])
end
hset(7, #ARGV)
redis.call('PEXPIRE', KEYS[1], ARGV[5])
return {'done'}
