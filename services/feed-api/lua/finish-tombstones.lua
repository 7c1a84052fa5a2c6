-- Ends the loading of recent tombstones: tombstones are only ever added, so those of the database join those that came
-- meanwhile. After its time the list expires and is loaded anew, which is what trims it.
-- KEYS: 1 the bucket's epoch, 2 the list
-- ARGV: 1 the epoch, 2 the token, 3 seconds the list stays, 4.. tombstones from the database
-- Returns 1 if the list is ready, 0 if another loading began.
if redis.call('get', KEYS[1]) ~= ARGV[1] then
  return redis.error_reply('STALEEPOCH the bucket is in another cache epoch')
end
if redis.call('lindex', KEYS[2], 0) ~= 'L' .. ARGV[2] then
  return 0
end
local push_max = 1000
for first = 4, #ARGV, push_max do
  redis.call('rpush', KEYS[2], unpack(ARGV, first, math.min(first + push_max - 1, #ARGV)))
end
redis.call('lset', KEYS[2], 0, 'R' .. ARGV[2])
redis.call('expire', KEYS[2], ARGV[3])
return 1
