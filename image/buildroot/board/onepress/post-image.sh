#!/bin/sh
# From rootfs.erofs to a disk image and a signed update bundle. Sizes of slots are those of the other images, in repart.d.
#   post-image.sh BINARIES PROFILE
set -eu
binaries=$1 profile=$2
board=$(realpath "$(dirname "$0")")
image=$(realpath "$board/../../..")
version=${ONEPRESS_VERSION:-0}
release=onepress-${profile}_$version
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$binaries"

size() { sed -n 's/^SizeMinBytes=//p' "$image/mkosi.extra/usr/lib/repart.d/$1.conf"; }
uuid() { echo "$1" | sed -E 's/(.{8})(.{4})(.{4})(.{4})(.{12})/\1-\2-\3-\4-\5/'; }

# The uuids of root and verity are the halves of the root hash: so are they found, here and by systemd.
veritysetup format --salt=- --uuid=00000000-0000-0000-0000-000000000000 rootfs.erofs verity.img >"$work/verity"
of() { sed -n "s/^$1:[[:space:]]*//p" "$work/verity"; }
hash=$(of 'Root hash')
root=$(uuid "$(echo "$hash" | cut -c1-32)")
verity=$(uuid "$(echo "$hash" | cut -c33-64)")
blocks=$(of 'Data blocks')
table="root,,,ro,0 $((blocks * 8)) verity 1 PARTUUID=$root PARTUUID=$verity 4096 4096 $blocks 1 sha256 $hash -"
command="dm-mod.create=\"$table\" dm-mod.waitfor=PARTUUID=$root,PARTUUID=$verity root=/dev/dm-0 ro roothash=$hash"
command="$command panic=10 quiet"

xz -1 -T0 -c rootfs.erofs >"${release}_$root.root.raw.xz"
xz -1 -T0 -c verity.img >"${release}_$verity.verity.raw.xz"
# shellcheck source=/dev/null
. "$board/leg-${profile%%-*}.sh"

sed -e "s/@ROOT@/$root/; s/@VERITY@/$verity/; s/@VERSION@/$version/g" \
  -e "s/@ROOT_SIZE@/$(size 20-root-a)/; s/@VERITY_SIZE@/$(size 10-verity-a)/; s/@ESP_SIZE@/$(size 00-esp)/" \
  "$board/genimage-${profile%%-*}.cfg" >"$work/genimage.cfg"
mkdir "$work/empty"
genimage --rootpath "$work/empty" --tmppath "$work/tmp" --inputpath "$binaries" --outputpath "$binaries" \
  --config "$work/genimage.cfg"
mv disk.img "$release.raw"
# shellcheck disable=SC2154  # the leg says how its file ends
"$board/bundle.sh" "$("$image/keys.sh")/gnupg" "$binaries/$release.bundle" "${release}_$root.root.raw.xz" \
  "${release}_$verity.verity.raw.xz" "$release$end"
