-- Shows a list with a floor as it is stored. Nothing is renewed by being looked at.
--
-- KEYS: 1 the bucket's epoch, 2 the list
-- ARGV: 1 the epoch
-- Returns {entries, the sentinel last; milliseconds that it stays, -1 for ever, -2 where it is missing; bytes it takes}
if redis.call('get', KEYS[1]) ~= ARGV[1] then
  return redis.error_reply('STALEEPOCH the bucket is in another cache epoch')
end
local bytes = redis.call('memory', 'usage', KEYS[2]) or 0
return { redis.call('lrange', KEYS[2], 0, -1), redis.call('pttl', KEYS[2]), bytes }
