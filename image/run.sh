#!/bin/sh
# Runs a program of the image's tools (repart, veritysetup, sysupdate) in their own tree, with a folder of the caller's
# as /job: run.sh FOLDER PROGRAM [ARGUMENT...]
set -eu
folder=$(cd "$1" && pwd)
tools=$(cd "$(dirname "$0")/../.cache/image/tools" && pwd)
shift
mkdir -p "$tools/job"
export folder tools
exec unshare --mount --pid --fork sh -euc 'mount -t proc proc "$tools/proc"; mount --bind "$folder" "$tools/job"
  mount --rbind /dev "$tools/dev"; mount --rbind /sys "$tools/sys"; mount -t tmpfs none "$tools/tmp"; exec chroot "$tools" env PATH=/usr/local/bin:/usr/sbin:/usr/bin "$@"' sh "$@"
