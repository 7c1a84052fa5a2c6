# shellcheck shell=bash
# PostgreSQL 17 with TimescaleDB. fsync and synchronous_commit stay on: what the services promise rests on them.

postgres_settings=(
  -c shared_preload_libraries=timescaledb
  -c timescaledb.telemetry_level=off
  # Jobs are of the edition that Debian does not have. Without them no idle scheduler sits in each database that a test makes.
  -c timescaledb.max_background_workers=0
)

postgres_prepare() {
  cache_folder "$(debian_root)" make_debian_root
  [ -e "$instance_dir/data/postgres/PG_VERSION" ] || make_postgres_cluster
  give_cluster_to_postgres
}

# Another root file system, with other packages, may have another number for the same user.
give_cluster_to_postgres() {
  local data=$instance_dir/data/postgres owner
  owner=$(root_user_id postgres)
  [ "$(stat --format %u:%g "$data")" = "$owner" ] || chown --recursive --no-dereference "$owner" "$data"
}

postgres_launch() {
  launch_in_root postgres postgres postgres -D /data "${postgres_settings[@]}" \
    -c listen_addresses=127.0.0.1 -c port="${ports[postgres]}" -c unix_socket_directories= \
    -c max_connections=300 -c shared_buffers=512MB -c max_wal_size=4GB \
    -c timezone=UTC -c log_timezone=UTC
}

postgres_answers() {
  chroot "$(debian_root)" env PGCONNECT_TIMEOUT=2 psql --no-psqlrc --quiet --output /dev/null \
    --dbname "$(postgres_url)" --command 'select 1' >/dev/null 2>&1
}

postgres_url() { printf 'postgres://tideline:tideline@127.0.0.1:%s/tideline\n' "${ports[postgres]}"; }

# A new cluster is complete before it gets its name. tideline is its superuser, because tests create databases, and template1
# has the extension, because those databases want it. All of it in single-user mode: no port is open meanwhile.
make_postgres_cluster() {
  local data=$instance_dir/data/postgres log=$instance_dir/logs/initdb.log
  say "$instance: creating the Postgres cluster"
  rm -rf --one-file-system "$data.new"
  mkdir "$data.new"
  chown "$(root_user_id postgres)" "$data.new"
  in_new_cluster initdb -D /data --username=tideline --auth=trust --encoding=UTF8 --locale=C.UTF-8 >"$log" 2>&1 \
    || fail_with_log "$log" "initdb failed"
  echo 'host all all 127.0.0.1/32 scram-sha-256' >"$data.new/pg_hba.conf"
  # create database copies template1, so that the extension comes first.
  single_user template1 >>"$log" 2>&1 <<'SQL'
create extension timescaledb
alter role tideline password 'tideline'
create database tideline
SQL
  # Single-user mode reports a failed statement in its log alone.
  if grep -qE '(ERROR|FATAL|PANIC):' "$log"; then fail_with_log "$log" "the new Postgres cluster could not be set up"; fi
  mv -T "$data.new" "$data"
}

single_user() { in_new_cluster postgres --single -D /data "${postgres_settings[@]}" "$1"; }

in_new_cluster() {
  "${isolation[@]}" "$native_dir/in-debian-root.sh" "$(debian_root)" "$instance_dir/data/postgres.new" postgres "$@"
}
