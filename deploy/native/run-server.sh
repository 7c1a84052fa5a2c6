#!/usr/bin/env bash
# Notes who it is, then becomes the server: only the process itself can tell its pid without a race.
# usage: run-server.sh PID_FILE FOLDER_ID COMMAND...
set -euo pipefail
# shellcheck source-path=SCRIPTDIR
. "$(dirname "${BASH_SOURCE[0]}")/process-identity.sh"

pid_file=$1 folder=$2
shift 2
read_identity /proc/self/stat
printf '%s %s %s %s\n' "$identity_pid" "$identity_started" "$(boot_id)" "$folder" >"$pid_file.new"
mv "$pid_file.new" "$pid_file"
exec "$@"
