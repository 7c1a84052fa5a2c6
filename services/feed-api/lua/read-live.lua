-- Reads a live stream on from an entry.
--
-- KEYS: 1 the bucket's epoch, 2 the stream, 3 who is watched, where ARGV names users
-- ARGV: 1 the epoch, 2 the id of the entry, 3 how many entries after it, 4.. users who have to be watched
-- Returns {1, id, records, id, records, ...}; {0} where the entry is not there (any more), so that some between it and
-- those after it may be missing, or where one of the users is not watched, so that some may not have been recorded.
if redis.call('get', KEYS[1]) ~= ARGV[1] then
  return redis.error_reply('STALEEPOCH the bucket is in another cache epoch')
end
local stream, after, count = KEYS[2], ARGV[2], tonumber(ARGV[3])
if #redis.call('xrange', stream, after, after) == 0 then
  return { 0 }
end
for a = 4, #ARGV do
  if not redis.call('zscore', KEYS[3], ARGV[a]) then
    return { 0 }
  end
end
local answer = { 1 }
if count > 0 then
  for _, entry in ipairs(redis.call('xrange', stream, '(' .. after, '+', 'COUNT', count)) do
    answer[#answer + 1] = entry[1]
    answer[#answer + 1] = entry[2][2]
  end
end
return answer
