-- Gives a key a TTL that has none. ARGV: 2 TTL in ms.
local life = redis.call('PTTL', KEYS[1])
if life == -2 then
  return {'absent'}
end
if life ~= -1 then
  return {'other', '', ''}
end
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return {'done'}
