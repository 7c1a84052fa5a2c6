# shellcheck shell=bash
# Downloads are kept outside the checkout, so that every clone on the machine shares them. A folder's name carries the
# fingerprint of its recipe: a changed recipe makes a new folder, and no clone ever changes one that another is using.

cache_dir=$(realpath --canonicalize-missing "${TIDELINE_CACHE_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/tideline}")
cache_wait_limit_s=1800

# fingerprint: twelve hex digits that stand for what is on stdin.
fingerprint() { sha256sum | cut -c1-12; }

# cache_folder FOLDER BUILDER: makes FOLDER by running BUILDER on a temporary one, unless it is there already. Only a
# complete folder ever gets its name, so a start that is killed half way leaves nothing that looks finished.
cache_folder() {
  local folder=$1 builder=$2 building
  [ ! -e "$folder" ] || return 0
  mkdir -p "$cache_dir"
  (
    exec 8>"$folder.lock"
    if ! flock --nonblock 8; then
      say "$folder is being made already: waiting for that"
      flock --timeout "$cache_wait_limit_s" 8 || fail "waited $cache_wait_limit_s s for $folder: see who holds $folder.lock"
    fi
    [ ! -e "$folder" ] || exit 0
    # Whoever holds the lock is alone, so these belong to starts that were killed.
    rm -rf --one-file-system "$folder".making.*
    building=$(mktemp -d "$folder.making.XXXXXX")
    chmod 755 "$building" # mktemp closes it to all but root, and the servers run as users of their own.
    "$builder" "$building"
    mv -T "$building" "$folder"
  )
}
