-- What operators decided about records that were given up, and what became of them.

-- Fields of a record that the release which stored it did not know. A later one finds them here.
alter table activities add column other_fields jsonb;
alter table control_activities add column other_fields jsonb;

-- Letters stay on their topic until its retention. One is named by its place there and its time, because a topic that is
-- made anew begins at 0 again. A record that says it is replayed is believed only where this table says so, too: who
-- may write to the topic may not write here.
create table dead_letter_decisions (
  letter_partition integer not null,
  letter_offset    bigint not null,
  letter_time      timestamptz not null,
  decision         text not null check (decision in ('replaying', 'replayed', 'discarded')),
  reason           text check ((decision = 'discarded') = (reason is not null)),
  decided_at       timestamptz not null default now(),
  -- Where the record stood first, how often it was tried, and its value; null: the letter does not say.
  log_generation   integer,
  log_partition    integer,
  log_offset       bigint,
  attempts         integer,
  value_sha256     bytea not null check (length(value_sha256) = 32),
  primary key (letter_partition, letter_offset, letter_time)
);

create index dead_letter_decisions_by_record on dead_letter_decisions (log_generation, log_partition, log_offset);

select audit_table('dead_letter_decisions');

-- Records that were applied by a replay: the place where they stood first, which is their version, and the place of the
-- copy that was applied. Whether a delivery comes before or after another one is a matter of the latter.
create table replayed_records (
  log_generation      integer not null,
  log_partition       integer not null,
  log_offset          bigint not null,
  id                  uuid not null,
  replayed_generation integer not null,
  replayed_partition  integer not null,
  replayed_offset     bigint not null,
  replayed_at         timestamptz not null default now(),
  primary key (log_generation, log_partition, log_offset)
);

grant select on dead_letter_decisions, replayed_records to tideline_fanout;
grant insert on replayed_records to tideline_fanout;
grant select, insert, update on dead_letter_decisions to tideline_operator;
grant select on replayed_records to tideline_operator;
