# shellcheck shell=bash
# The root file system that Postgres, Redis and the tests' Prometheus run in: they are Debian trixie's, whatever release the
# machine has.

debian_suite=trixie
debian_packages=postgresql-17,postgresql-17-timescaledb,redis-server,prometheus
# postgresql-common would create and start a cluster when it is installed. mmdebstrap itself keeps services from starting.
# shellcheck disable=SC2016 # $1 is the hook's: the new root
debian_recipe=(
  --variant=apt
  "--include=$debian_packages"
  --setup-hook='mkdir -p "$1/etc/postgresql-common"'
  --setup-hook='echo "create_main_cluster = false" >"$1/etc/postgresql-common/createcluster.conf"'
  --customize-hook='mkdir "$1/data"'
)

debian_root() { printf '%s/debian-%s\n' "$cache_dir" "$(printf '%s\n' "$debian_suite" "${debian_recipe[@]}" | fingerprint)"; }

# root_user_id USER: the numeric uid:gid of a user of the Debian root file system; the machine's own user may be another.
root_user_id() { awk -F: -v user="$1" '$1 == user { print $3 ":" $4 }' "$(debian_root)/etc/passwd"; }

make_debian_root() {
  local root=$1 log=$1.log mirror started=$SECONDS
  install_mmdebstrap
  mirror=$(debian_mirror)
  say "Debian $debian_suite with PostgreSQL 17, TimescaleDB, Redis and Prometheus: downloading and unpacking 700 MB, typically 20 to 60 s"
  mmdebstrap "${debian_recipe[@]}" "$debian_suite" "$root" "$mirror" >"$log" 2>&1 \
    || fail_with_log "$log" "mmdebstrap could not make the Debian $debian_suite root file system"
  rm "$log"
  say "Debian $debian_suite is ready ($((SECONDS - started)) s)"
}

install_mmdebstrap() {
  command -v mmdebstrap >/dev/null && return 0
  local log=$cache_dir/apt.log
  say "installing mmdebstrap with apt-get, typically 10 s"
  { apt-get -q update && DEBIAN_FRONTEND=noninteractive apt-get -q -y --no-install-recommends install mmdebstrap gpg; } >"$log" 2>&1 \
    || fail_with_log "$log" "apt-get could not install mmdebstrap"
}

# The mirror that this machine itself is installed from, asked of apt because only apt knows every way to write that down.
# Other repositories may use Debian's suite names too, hence the origin; it is unknown until the first apt-get update.
debian_mirror() {
  local codename mirrors
  # shellcheck disable=SC2016 # apt's variables
  local format='$(RELEASE) $(COMPONENT) $(ORIGIN) $(REPO_URI)'
  # shellcheck source=/dev/null
  codename=$(. /etc/os-release && printf '%s' "${VERSION_CODENAME:-}")
  mirrors=$(apt-get indextargets --format "$format" 'Created-By: Packages' | grep "^$codename main ") \
    || fail "apt's sources name no Debian mirror for $codename main"
  { grep -m1 ' Debian ' <<<"$mirrors" || head -n1 <<<"$mirrors"; } | sed 's/.* //'
}
