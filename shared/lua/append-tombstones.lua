-- Appends tombstones to the list of recent ones. A missing list stays missing: whoever needs it loads it from
-- TimescaleDB, where the tombstone is by now. One that is being loaded accepts them.
-- KEYS: 1 the bucket's epoch, 2 the list
-- ARGV: 1 the epoch, 2.. tombstones: 16 bytes of id and the author
if redis.call('get', KEYS[1]) ~= ARGV[1] then
  return redis.error_reply('STALEEPOCH the bucket is in another cache epoch')
end
for i = 2, #ARGV do
  redis.call('rpushx', KEYS[2], ARGV[i])
end
return redis.call('llen', KEYS[2])
