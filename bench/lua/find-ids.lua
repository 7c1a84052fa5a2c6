-- Tells for each list whether it has an id near its head: a bench's view from outside, cheap enough for every
-- millisecond. The lists may be of several buckets: benches run on one Redis.
-- KEYS: lists
-- ARGV: for each list an id (16 bytes)
-- Returns for each list 1 if it has the id, 0 if not yet, -1 if it is missing or being built.
local look = 64
local answers = {}
for k = 1, #KEYS do
  local sentinel = redis.call('lindex', KEYS[k], -1)
  if not sentinel or string.sub(sentinel, 1, 1) == 'B' then
    answers[k] = -1
  else
    answers[k] = redis.call('lpos', KEYS[k], ARGV[k], 'maxlen', look) and 1 or 0
  end
end
return answers
