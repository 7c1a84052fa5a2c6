#!/usr/bin/env bash
# Becomes a program of Debian's prometheus package, in the Debian root file system and with DATA_DIR at /data, which must be
# a folder of the caller's own: it is given to the user prometheus. Makes the root file system where it is missing. The
# program ends with the process that started it, however that ends.
# usage: run-prometheus.sh DATA_DIR prometheus|promtool [ARGUMENT...]
set -euo pipefail
shopt -s inherit_errexit
native_dir=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
for part in progress cache debian-root server-process requirements; do
  # shellcheck source=/dev/null
  . "$native_dir/$part.sh"
done

data_dir=$1
shift
check_requirements prometheus
cache_folder "$(debian_root)" make_debian_root
chown -R "$(root_user_id prometheus)" "$data_dir"
# No process namespace: the caller's signals have to reach the program itself. The wish to end with the parent is forgotten
# when a process changes its user, so it is made after that.
exec unshare --mount "$native_dir/in-debian-root.sh" "$(debian_root)" "$data_dir" prometheus setpriv --pdeathsig TERM "$@"
