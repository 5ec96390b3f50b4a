-- Counts one more beat of the heart that shows that Redis still has the data that was agreed upon. ARGV: 2 the
-- incarnation that Redis is, 3 the last beat that the caller has seen, 4 TTL in ms, 5 '1' if the caller has talked to
-- another Redis until now.
local found = redis.call('HMGET', KEYS[1], 'incarnation', 'beat', 'unpersisted', 'refill')
local back = found[1] == ARGV[2] and tonumber(found[2]) < tonumber(ARGV[3])
if back or ARGV[5] == '1' then
  -- The others could not notice either, nor whoever is comparing copies: a text that was never there tells them.
  redis.call('PEXPIRE', KEYS[1], ARGV[4])
  redis.call('HSET', KEYS[1], 'incarnation', 'withdrawn-' .. now[1] .. '.' .. now[2])
  redis.call('PEXPIRE', KEYS[1], ARGV[4])
  return {back and 'back' or 'elsewhere'}
end
if not found[1] then
  return {'lost'}
end
if found[1] ~= ARGV[2] then
  return {'other', found[1]}
end
redis.call('PEXPIRE', KEYS[1], ARGV[4])
return {'done', redis.call('HINCRBY', KEYS[1], 'beat', 1), found[3] or '', found[4] or ''}
