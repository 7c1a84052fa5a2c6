-- Reserves an idempotency key for one try of a write, or says what became of it.
-- KEYS: 1 the key's record
-- ARGV: 1 the fingerprint of the request, 2 the seed and 3 the time of a first try, 4 the token of this try,
--       5 milliseconds of its lease, 6 seconds the record is kept
-- Returns {'first'}, {'again', seed, time of the first try} where an earlier try left the outcome open,
-- {'finished', reply}, {'in-flight'}, or {'mismatch'} where the key belongs to another request.
-- Leases are measured by this server's clock, which is the same for every process.
local time = redis.call('time')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local leasedUntil = string.format('%.0f', now + tonumber(ARGV[5]))
local fingerprint, seed, acceptedAt, lease, reply =
  unpack(redis.call('hmget', KEYS[1], 'fingerprint', 'seed', 'acceptedAt', 'leasedUntil', 'reply'))
if not fingerprint then
  redis.call('hset', KEYS[1], 'fingerprint', ARGV[1], 'seed', ARGV[2], 'acceptedAt', ARGV[3],
    'token', ARGV[4], 'leasedUntil', leasedUntil)
  redis.call('expire', KEYS[1], ARGV[6])
  return {'first'}
end
if fingerprint ~= ARGV[1] then
  return {'mismatch'}
end
if reply then
  return {'finished', reply}
end
if tonumber(lease) > now then
  return {'in-flight'}
end
redis.call('hset', KEYS[1], 'token', ARGV[4], 'leasedUntil', leasedUntil)
return {'again', seed, acceptedAt}
