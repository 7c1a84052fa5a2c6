-- Steps of a rebuild that are done, so that one that was interrupted goes on behind them. Emptying a projection undoes them.
create table rebuild_steps (
  name text primary key
);

create or replace function close_truncated_projections() returns trigger
language plpgsql security definer set search_path = public, pg_temp as $$
begin
  perform close_projections();
  delete from rebuild_steps;
  return null;
end
$$;
