-- Removes a copy that is stale or cannot be read, unless another has taken its place. ARGV: 2 the version it had.
local type = redis.call('TYPE', KEYS[1]).ok
if type == 'none' then
  return {'absent'}
end
if type == 'hash' then
  local version = redis.call('HGET', KEYS[1], 'version') or ''
  if version ~= ARGV[2] then
    return {'other', version}
  end
end
redis.call('UNLINK', KEYS[1])
return {'done'}
