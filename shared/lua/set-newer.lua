-- Caches a value unless a newer one is cached already.
-- KEYS: 1 the value
-- ARGV: 1 generation and 2 offset of the log that it is from, 3 the value, 4 seconds it stays
-- The stored string is "generation:offset:value". Returns 1 if it was stored.
local current = redis.call('get', KEYS[1])
if current then
  local generation, offset = string.match(current, '^(%d+):(-?%d+):')
  generation, offset = tonumber(generation), tonumber(offset)
  if generation > tonumber(ARGV[1]) or (generation == tonumber(ARGV[1]) and offset > tonumber(ARGV[2])) then
    return 0
  end
end
redis.call('set', KEYS[1], ARGV[1] .. ':' .. ARGV[2] .. ':' .. ARGV[3], 'EX', ARGV[4])
return 1
