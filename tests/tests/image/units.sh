#!/bin/sh
# systemd's own check of an image's units, laid over the packages' as the build lays them: units.sh PROFILE
set -eu
cd "$(dirname "$0")/../../.."
cache=$PWD/.cache/image
base=$cache/cache/debian~trixie~x86-64.cache
image=$PWD/image
export cache base image profile="$1"
mkdir -p "$cache/tools/merged"
exec unshare --mount --pid --fork sh -euc 'cd "$cache/tools"
  mount -t tmpfs none tmp && mkdir tmp/upper tmp/job
  lower=$image/mkosi.profiles/${profile%%-*}.extra:$image/mkosi.extra:$cache/tree/$profile:$base
  mount -t overlay -o "upperdir=tmp/upper,workdir=tmp/job,lowerdir=$lower" none merged
  mount -t proc proc proc
  chroot . systemctl --root=/merged preset-all >/dev/null 2>&1
  chroot . systemd-analyze verify --root=/merged --recursive-errors=yes --man=no default.target \
    onepress-install.target boot-complete.target'
