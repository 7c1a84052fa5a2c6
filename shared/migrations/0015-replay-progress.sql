-- How far a replay of the log came that is not over: of each partition everything before is done. Here and not with Kafka, so
-- that it is lost with the database and goes back with a backup (docs/decisions/0022-replay.md).
create table replay_progress (
  log_partition  integer primary key,
  log_generation integer not null,
  next_offset    bigint not null
);
