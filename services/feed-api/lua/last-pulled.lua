-- The last entry of the stream of merged authors; where there is none, one that says nothing is made.
--
-- KEYS: 1 the bucket's epoch, 2 the stream, 3 what the stream has
-- ARGV: 1 the epoch, 2 the channel
-- Returns the id of the entry.
if redis.call('get', KEYS[1]) ~= ARGV[1] then
  return redis.error_reply('STALEEPOCH the bucket is in another cache epoch')
end
redis.call('expire', KEYS[2], stream_ttl_s)
redis.call('expire', KEYS[3], stream_ttl_s)
local last = redis.call('xrevrange', KEYS[2], '+', '-', 'COUNT', 1)[1]
if last then
  return last[1]
end
record('b', nil, '')
return append_records(KEYS[2], 1, ARGV[2], 'pulled')
