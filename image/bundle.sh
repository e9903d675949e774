#!/bin/sh
# Makes the signed update of a built image: one tar whose first members are SHA256SUMS and its signature.
#   bundle.sh PROFILE VERSION     into .cache/image/out/<profile>/<version>/onepress-<profile>_<version>.bundle
set -eu
cd "$(dirname "$0")/.."
profile=$1 version=$2
keys=$(image/keys.sh)
name=onepress-${profile}_$version
from=$PWD/.cache/image/out/$profile/$version
parts=$from/parts
rm -rf "$parts" && mkdir -p "$parts"
uuid() { sfdisk --json "$from/$name.raw" | python3 -c '
import json, sys
for part in json.load(sys.stdin)["partitiontable"]["partitions"]:
    if part["name"] == sys.argv[1]: print(part["uuid"].lower())' "$1"; }
pack() { xz --threads=2 -2 --stdout "$1" >"$parts/$2"; }
pack "$from/$name.root-x86-64.raw" "${name}_$(uuid "root_$version").root.raw.xz"
pack "$from/$name.root-x86-64-verity.raw" "${name}_$(uuid "verity_$version").verity.raw.xz"
cp "$from/$name.efi" "$parts/$name.efi"
cd "$parts"
sha256sum "$name"* >SHA256SUMS
gpg --homedir "$keys/gnupg" --batch --yes --quiet --detach-sign --output SHA256SUMS.gpg SHA256SUMS
tar --create --file="$from/$name.bundle" --format=ustar --owner=0 --group=0 --numeric-owner --mode=0644 \
  --mtime=@1764028800 SHA256SUMS SHA256SUMS.gpg "$name"*
ls -l "$from/$name.bundle"
