-- Answers a value, and puts it there first where there is none.
-- KEYS: 1 the bucket's epoch, 2 the value
-- ARGV: 1 the epoch, 2 the value to put, 3 seconds it then stays
if redis.call('get', KEYS[1]) ~= ARGV[1] then
  return redis.error_reply('STALEEPOCH the bucket is in another cache epoch')
end
local current = redis.call('get', KEYS[2])
if current then
  return current
end
redis.call('set', KEYS[2], ARGV[2], 'EX', ARGV[3])
return ARGV[2]
