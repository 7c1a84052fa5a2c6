# shellcheck shell=bash
# A pid alone names nobody: the kernel gives it to another process one day. With the start time and the boot it is unique,
# and with the instance's folder a copy of the checkout does not take the original's servers for its own.

# read_identity STAT_FILE: sets identity_pid and identity_started. The command's name, in brackets, may contain anything.
# A redirection to `read` is opened by this very shell, so that /proc/self is the caller.
read_identity() {
  local stat fields
  { read -r stat <"$1"; } 2>/dev/null || return 1
  identity_pid=${stat%% *}
  read -r -a fields <<<"${stat##*) }"
  # A zombie has ended, even where nobody collects it.
  [ "${fields[0]}" != Z ] && [ "${fields[0]}" != X ] || return 1
  identity_started=${fields[19]}
}

boot_id() {
  local id
  read -r id </proc/sys/kernel/random/boot_id
  printf '%s' "$id"
}

# The folder's device and inode rather than its path: these survive a move of the checkout.
folder_id() { stat --format %d:%i "$1"; }
