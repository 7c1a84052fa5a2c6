-- Ends the lease of a try that has no reply to keep, unless another try has taken the key over.
-- KEYS: 1 the key's record
-- ARGV: 1 the token of this try, 2 'forget' the key, or 'keep' what the next try has to repeat
-- Returns 1 if the lease was this try's.
if redis.call('hget', KEYS[1], 'token') ~= ARGV[1] then
  return 0
end
if ARGV[2] == 'forget' then
  redis.call('del', KEYS[1])
else
  redis.call('hset', KEYS[1], 'leasedUntil', '0')
end
return 1
