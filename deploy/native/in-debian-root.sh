#!/usr/bin/env bash
# Becomes COMMAND as USER in the Debian root file system, with DATA_DIR at /data.
# To be run in a mount namespace of its own: the mounts go when the command ends, however it ends, and nobody else sees them.
# usage: in-debian-root.sh ROOT DATA_DIR USER COMMAND...
set -euo pipefail

root=$1 data_dir=$2 user=$3
shift 3
mount --bind "$data_dir" "$root/data"
mount --rbind /dev "$root/dev" # Postgres shares memory through /dev/shm.
mount -t proc proc "$root/proc"
cd /
exec chroot --userspec="$user:$user" "$root" \
  env -i LANG=C.UTF-8 TZ=UTC PATH=/usr/lib/postgresql/17/bin:/usr/bin:/bin "$@"
