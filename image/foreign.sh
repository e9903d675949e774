#!/bin/sh
# Runs a command that may start programs of arm64: in namespaces of its own, where the kernel hands those to QEMU's user
# mode. The machine's own list of such formats is not touched (it is one for each user namespace since Linux 6.7).
#   foreign.sh COMMAND [ARGUMENT...]
set -eu
qemu=$(command -v qemu-aarch64-static) || { echo "qemu-user-static is not installed: image/cross-arm64.sh does it" >&2; exit 1; }
gate=$(mktemp -u)
mkfifo "$gate"
trap 'rm -f "$gate"' EXIT
# First bytes of a program for arm64 (ELF, 64 bits, little-endian, executable or shared, machine 0xb7), and which count.
magic='\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xb7\x00'
mask='\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff'
# shellcheck disable=SC2016  # for the shell inside
unshare --user --mount sh -euc '
  read -r _ <"$1"
  mount -t binfmt_misc binfmt_misc /proc/sys/fs/binfmt_misc
  printf "%s" ":aarch64:M::$2:$3:$4:F" >/proc/sys/fs/binfmt_misc/register
  shift 4
  exec "$@"' sh "$gate" "$magic" "$mask" "$qemu" "$@" &
inside=$!
# All users there are the same as here.
until echo '0 0 65536' >/proc/$inside/uid_map 2>/dev/null; do sleep 0.1; done
echo '0 0 65536' >/proc/$inside/gid_map
echo >"$gate"
wait $inside
