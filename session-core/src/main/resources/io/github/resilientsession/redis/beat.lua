-- Counts one more beat of the heart that shows that Redis still has the data that was agreed upon. ARGV: 2 the
-- incarnation that Redis is, 3 the last beat that the caller has seen, 4 TTL in ms.
local found = redis.call('HMGET', KEYS[1], 'incarnation', 'beat', 'unpersisted')
if not found[1] then
  return {'lost'}
end
if found[1] ~= ARGV[2] then
  return {'other'}
end
if tonumber(found[2]) < tonumber(ARGV[3]) then
  -- Older data has come back unnoticed by those who look at the incarnation only: let them see it too.
  redis.call('HSET', KEYS[1], 'incarnation', '')
  return {'back'}
end
redis.call('PEXPIRE', KEYS[1], ARGV[4])
return {'done', redis.call('HINCRBY', KEYS[1], 'beat', 1), found[3] or ''}
