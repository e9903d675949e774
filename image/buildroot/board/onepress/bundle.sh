#!/bin/sh
# Packs the files of a release into one signed update bundle, the form that `onepress update` takes.
#   bundle.sh GNUPGHOME BUNDLE FILE...      the files are named as daemons/onepress/src/update/contents.rs says
set -eu
keys=$1 bundle=$2
shift 2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
for file in "$@"; do
  ln -s "$(realpath "$file")" "$work/$(basename "$file")"
done
cd "$work"
names=$(ls)
# shellcheck disable=SC2086  # names of releases have no blanks
sha256sum $names >SHA256SUMS
gpg --homedir "$keys" --batch --quiet --detach-sign --output SHA256SUMS.gpg SHA256SUMS
# shellcheck disable=SC2086
tar --format=ustar --dereference --owner=0 --group=0 --numeric-owner --mode=0644 --mtime=@0 \
  -cf "$bundle.part" SHA256SUMS SHA256SUMS.gpg $names
mv "$bundle.part" "$bundle"
