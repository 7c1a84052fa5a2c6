-- Keeps the reply to a write under its idempotency key, unless another try has taken the key over.
-- KEYS: 1 the key's record
-- ARGV: 1 the token of this try, 2 the reply
-- Returns 1 if it was kept.
if redis.call('hget', KEYS[1], 'token') ~= ARGV[1] then
  return 0
end
redis.call('hset', KEYS[1], 'reply', ARGV[2])
return 1
