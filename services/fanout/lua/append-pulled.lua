-- Records what merged authors did, whose activities are put into no inbox (check-fence.lua and record-live.lua are included before this). What
-- was recorded is not recorded again: a batch may come twice.
--
-- KEYS: 1 the bucket's epoch, 2 the bucket's fences, 3 the stream, 4 what the stream has
-- ARGV: 1 the epoch, 2 the partition, 3 its fence, 4 the channel, 5 records as `live-records.ts` packs them
-- Returns how many records were new.
local pulled_entries_max = 10000
local known_max = 10000
local name_bytes = 17
local packed = ARGV[5]
local seconds, microseconds = unpack(redis.call('time'))
local now = seconds * 1000000 + microseconds
local at = 1
while at <= #packed do
  local kind_and_id = string.sub(packed, at, at + name_bytes - 1)
  local user_at = at + name_bytes + 1
  local next_at = user_at + string.byte(packed, user_at - 1)
  if redis.call('zadd', KEYS[4], 'NX', now, kind_and_id) == 1 then
    record(string.sub(kind_and_id, 1, 1), string.sub(kind_and_id, 2), string.sub(packed, user_at, next_at - 1))
  end
  at = next_at
end
local new = records and #records or 0
if new > 0 then
  redis.call('zremrangebyrank', KEYS[4], 0, -known_max - 1)
  redis.call('expire', KEYS[4], stream_ttl_s)
end
append_records(KEYS[3], pulled_entries_max, ARGV[4], 'pulled')
return new
