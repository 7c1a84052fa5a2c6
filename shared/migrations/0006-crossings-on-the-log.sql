-- Where on the log an author's mode was changed last. What is stored from that place or an earlier one was delivered in
-- full before, in the mode of that time: when it comes again it is not delivered in the new one.
alter table authors add column mode_generation integer;
alter table authors add column mode_offset bigint;
