-- Reads a live stream on from an entry.
--
-- KEYS: 1 the bucket's epoch, 2 the stream
-- ARGV: 1 the epoch, 2 the id of the entry, 3 how many entries after it
-- Returns {1, id, records, id, records, ...}; {0} where the entry is not there (any more), so that some between it and
-- those after it may be missing.
if redis.call('get', KEYS[1]) ~= ARGV[1] then
  return redis.error_reply('STALEEPOCH the bucket is in another cache epoch')
end
local stream, after, count = KEYS[2], ARGV[2], tonumber(ARGV[3])
if #redis.call('xrange', stream, after, after) == 0 then
  return { 0 }
end
local answer = { 1 }
if count > 0 then
  for _, entry in ipairs(redis.call('xrange', stream, '(' .. after, '+', 'COUNT', count)) do
    answer[#answer + 1] = entry[1]
    answer[#answer + 1] = entry[2][2]
  end
end
return answer
