#!/bin/sh
# Makes the signed update of a built image: one tar whose first members are SHA256SUMS and its signature.
#   bundle.sh PROFILE VERSION     into .cache/image/out/<profile>/<version>/onepress-<profile>_<version>.bundle
# On arm64 it is for a Raspberry Pi, and carries the files of a boot partition in the place of a UKI: pi.sh makes them.
set -eu
cd "$(dirname "$0")/.."
profile=$1 version=$2
. image/profile.sh
parts=$from/parts
rm -rf "$parts" && mkdir -p "$parts"
uuid() { part "$from/$name.raw" "$1" uuid; }
pack() { xz --threads=2 -2 --stdout "$1" >"$parts/$2"; }
pack "$from/$name.root-$architecture.raw" "${name}_$(uuid "root_$version").root.raw.xz"
pack "$from/$name.root-$architecture-verity.raw" "${name}_$(uuid "verity_$version").verity.raw.xz"
case $architecture in
arm64) cp "$from/$name.boot.tar" "$parts/$name.boot.tar" ;;
*) cp "$from/$name.efi" "$parts/$name.efi" ;;
esac
cd "$parts"
sha256sum "$name"* >SHA256SUMS
sign
tar --create --file="$from/$name.bundle" --format=ustar --owner=0 --group=0 --numeric-owner --mode=0644 \
  --mtime=@1764028800 SHA256SUMS SHA256SUMS.gpg "$name"*
ls -l "$from/$name.bundle"
