-- Stands before every script. ARGV[1] is the deadline by Redis's own clock, in milliseconds since the epoch:
-- a command that its sender has given up on may still run much later, and must then do nothing.
local now = redis.call('TIME')
if now[1] * 1000 + math.floor(now[2] / 1000) > tonumber(ARGV[1]) then
  return {'late'}
end

-- Sets the fields in ARGV[first] to ARGV[last], in portions that fit on Lua's stack.
local function hset(first, last)
  for i = first, last, 1000 do
    redis.call('HSET', KEYS[1], unpack(ARGV, i, math.min(i + 999, last)))
  end
end

-- What to answer if the copy is not of the expected version; nil if it is. A copy of plain Spring Session has no version
-- field, and the empty string for one.
local function mismatch(expected)
  local version = redis.call('HGET', KEYS[1], 'version')
  if not version then
    if redis.call('EXISTS', KEYS[1]) == 0 then
      return {'absent'}
    end
    version = ''
  end
  if version ~= expected then
    return {'other', version}
  end
  return nil
end
