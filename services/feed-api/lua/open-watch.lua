-- Has what happens to a user recorded, for a while longer, and keeps its lists. Where it was not recorded until now, the
-- record of that comes first: whoever goes on reading from before it missed something.
--
-- Only here users are forgotten whose lease has ended. Until then they are recorded, however late they come back.
--
-- KEYS: 1 the bucket's epoch, 2 who is watched, 3 the bucket's live stream, 4.. the user's lists
-- ARGV: 1 the epoch, 2 the user, 3 seconds of the lease, 4 seconds a list stays, 5 the channel
-- Returns the id of the last entry of the stream.
if redis.call('get', KEYS[1]) ~= ARGV[1] then
  return redis.error_reply('STALEEPOCH the bucket is in another cache epoch')
end
local watched, live, user = KEYS[2], KEYS[3], ARGV[2]
local now = tonumber(redis.call('time')[1])
local was_watched = redis.call('zscore', watched, user)
redis.call('zremrangebyscore', watched, '-inf', '(' .. now)
redis.call('zadd', watched, now + tonumber(ARGV[3]), user)
redis.call('expire', watched, ARGV[3])
for k = 4, #KEYS do
  local sentinel = redis.call('lindex', KEYS[k], -1)
  if sentinel and string.sub(sentinel, 1, 1) == 'R' then
    redis.call('expire', KEYS[k], ARGV[4])
  end
end
redis.call('expire', live, stream_ttl_s)
local last = redis.call('xrevrange', live, '+', '-', 'COUNT', 1)[1]
if was_watched and last then
  return last[1]
end
record('b', nil, user)
return append_bucket_records(live, ARGV[5])
