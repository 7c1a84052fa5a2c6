-- Begins to load the recent tombstones. The list takes new ones meanwhile.
-- KEYS: 1 the bucket's epoch, 2 the list
-- ARGV: 1 the epoch, 2 the token (16 bytes), 3 seconds until an abandoned loading is forgotten
-- Returns 1.
if redis.call('get', KEYS[1]) ~= ARGV[1] then
  return redis.error_reply('STALEEPOCH the bucket is in another cache epoch')
end
redis.call('unlink', KEYS[2])
redis.call('rpush', KEYS[2], 'L' .. ARGV[2])
redis.call('expire', KEYS[2], ARGV[3])
return 1
