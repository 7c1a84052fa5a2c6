-- Removes some of the keys that match a pattern. Called again with the cursor it returns, until that is 0.
-- ARGV: 1 the cursor, 2 the pattern
-- Returns the next cursor.
local found = redis.call('scan', ARGV[1], 'match', ARGV[2], 'count', 2000)
if #found[2] > 0 then
  redis.call('unlink', unpack(found[2]))
end
return found[1]
