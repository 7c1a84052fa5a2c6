-- Who changed what: every change of a row that is not only derived from others (docs/decisions/0014-audit.md).

-- Dropped by age, a chunk at a time. No role may write it but through the triggers, and nobody may change it.
create table audit_log (
  at          timestamptz not null default statement_timestamp(),
  id          bigint generated always as identity, -- in the order of writing
  login       text not null default session_user,
  role        text not null default current_setting('role'), -- none: as the login itself
  application text not null default current_setting('application_name'),
  request_id  text default nullif(current_setting('tideline.request_id', true), ''),
  table_name  text not null,
  operation   text not null check (operation in ('insert', 'update', 'delete', 'truncate')),
  key         text[],  -- what names the row: its primary key, mostly
  before      jsonb,   -- the row, without what must not be known
  after       jsonb
);

select create_hypertable('audit_log', by_range('at', interval '7 days'), create_default_indexes => false);

create index audit_log_by_time on audit_log (at desc, id desc);

create trigger audit_log_is_immutable before update or delete on audit_log
  for each row execute function refuse_change();
create trigger audit_log_is_not_truncated before truncate on audit_log
  for each statement execute function refuse_change();

-- Records what a statement did to a table. Arguments: columns that must not be known, then those that name a row.
create function audit_statement() returns trigger
language plpgsql security definer set search_path = public, pg_temp as $$
declare
  hidden text[] := tg_argv[0];
  key_columns text[] := tg_argv[1:];
begin
  case tg_op
    when 'INSERT' then
      insert into audit_log (table_name, operation, key, after)
      select tg_table_name, 'insert', audited_key(n, key_columns), n - hidden
      from (select to_jsonb(changed) from changed) as new_rows (n);
    when 'UPDATE' then
      insert into audit_log (table_name, operation, key, before, after)
      select tg_table_name, 'update', key, o - hidden, n - hidden
      from (select audited_key(o, key_columns), o from (select to_jsonb(previous) from previous) as rows (o)) as old_rows (key, o)
      full join (select audited_key(n, key_columns), n from (select to_jsonb(changed) from changed) as rows (n)) as new_rows (key, n)
        using (key)
      where o is distinct from n;
    when 'DELETE' then
      insert into audit_log (table_name, operation, key, before)
      select tg_table_name, 'delete', audited_key(o, key_columns), o - hidden
      from (select to_jsonb(previous) from previous) as old_rows (o);
    when 'TRUNCATE' then
      insert into audit_log (table_name, operation) values (tg_table_name, 'truncate');
  end case;
  return null;
end
$$;

create function audited_key(row_as_json jsonb, key_columns text[]) returns text[]
language sql immutable parallel safe
return (select array_agg(row_as_json ->> name order by place) from unnest(key_columns) with ordinality as k (name, place));

-- It writes as the owner: nobody else may make a trigger of it. Nor of those that count followers and close projections.
revoke execute on function audit_statement(), count_followers(), close_truncated_projections() from public;

-- Puts a table under the audit: which columns must not be known, and what names a row where that is not its primary key.
create function audit_table(audited regclass, hidden text[] default '{}', named_by text[] default null) returns void
language plpgsql as $$
declare
  key_columns text[] := coalesce(named_by, (
    select array_agg(a.attname order by place)
    from pg_index i cross join unnest(i.indkey) with ordinality as k (attnum, place)
    join pg_attribute a on a.attrelid = i.indrelid and a.attnum = k.attnum
    where i.indrelid = audited and i.indisprimary));
  arguments text := (select string_agg(quote_literal(argument), ', ') from unnest(hidden::text || key_columns) argument);
  event record;
begin
  for event in values
    ('insert', 'referencing new table as changed'),
    ('update', 'referencing old table as previous new table as changed'),
    ('delete', 'referencing old table as previous'),
    ('truncate', '')
  loop
    execute format('create trigger %I after %s on %s %s for each statement execute function audit_statement(%s)',
      'audit_of_' || event.column1, event.column1, audited, event.column2, arguments);
  end loop;
end
$$;

-- What the log says.
select audit_table('follows');
select audit_table('relations');
select audit_table('users');
select audit_table('objects');
select audit_table('tombstones');

-- What users say of themselves.
select audit_table('notification_marks');
select audit_table('marked_notifications');

-- What operators and set-up do. Keys are known by their fingerprints, here as in `tideline keys list`.
alter table api_keys add column fingerprint text generated always as (left(encode(key_sha256, 'hex'), 12)) stored;
select audit_table('api_keys', hidden => '{key_sha256}', named_by => '{fingerprint}');
select audit_table('agreed_settings');
select audit_table('secrets', hidden => '{value}');

-- What processes do when they come, or find Redis to be another one.
select audit_table('log_generations');
select audit_table('partition_fences');
select audit_table('cache_epoch');

-- Of authors how they are delivered, at each crossing. Counts follow from follows, and change as often: an update of them does
-- not fire this.
create function audit_crossing() returns trigger
language plpgsql security definer set search_path = public, pg_temp as $$
begin
  insert into audit_log (table_name, operation, key, before, after)
  values ('authors', 'update', array[new.author_id], to_jsonb(old) - 'follower_count', to_jsonb(new) - 'follower_count');
  return null;
end
$$;

revoke execute on function audit_crossing() from public;

create trigger audit_of_crossing after update of mode on authors
  for each row when (old.mode <> new.mode or old.watermark is distinct from new.watermark) execute function audit_crossing();
create trigger audit_of_delete after delete on authors
  referencing old table as previous for each statement execute function audit_statement('{}', 'author_id');
create trigger audit_of_truncate after truncate on authors
  for each statement execute function audit_statement('{}', 'author_id');

-- Notifications follow from events, which never change: only that somebody took all of them away says something.
create trigger audit_of_truncate after truncate on notifications
  for each statement execute function audit_statement('{}', 'user_id', 'id');

grant select, delete on audit_log to tideline_eraser;

-- Drops what is older than so many days, whole chunks. Whoever runs it is not the owner, and never drops the last day. Of
-- several at once one does.
create function drop_old_audit(days integer) returns bigint
language plpgsql security definer set search_path = public, pg_temp as $$
begin
  if not pg_try_advisory_xact_lock(hashtext('tideline: drop_old_audit')) then
    return 0;
  end if;
  return (select count(*) from drop_chunks('audit_log', older_than => now() - greatest(days, 1) * interval '1 day') as dropped);
end
$$;

revoke execute on function drop_old_audit(integer) from public;
grant execute on function drop_old_audit(integer) to tideline_fanout;
