#!/bin/sh
# What can be said of this tree without Buildroot's sources of packages: its configurations load and lose no symbol, the
# package is among those that would be built, and Buildroot's own checker of style is content.
#   check.sh BUILDROOT      a checkout of Buildroot, 2026.08 or later
set -eu
tree=$(realpath "$(dirname "$0")")
if [ $# != 1 ] || [ ! -e "$1/package/pkg-cargo.mk" ]; then
  echo "give the path of a Buildroot checkout, 2026.08 or later: make check-buildroot BUILDROOT=../buildroot" >&2
  exit 2
fi
buildroot=$(realpath "$1")
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
for defconfig in "$tree"/configs/*_defconfig; do
  name=$(basename "$defconfig")
  br() { make --no-print-directory -s -C "$buildroot" O="$out/$name" BR2_EXTERNAL="$tree" "$@"; }
  br "$name" >"$out/log" 2>&1 || { cat "$out/log" >&2; exit 1; }
  # Every line must have come through Kconfig as it was written; a symbol that is gone or depends on one that is off has not.
  while read -r line; do
    case $line in BR2_* | '# BR2_'*' is not set') ;; *) continue ;; esac
    grep -qxF "$line" "$out/$name/.config" || { echo "$name: Kconfig does not take: $line" >&2; exit 1; }
  done <"$defconfig"
  br savedefconfig BR2_DEFCONFIG="$out/saved"
  sort "$defconfig" >"$out/a"
  sort "$out/saved" >"$out/b"
  diff -u "$out/a" "$out/b" >"$out/diff" || { echo "$name: savedefconfig says otherwise:" >&2; cat "$out/diff" >&2; exit 1; }
  br show-info >"$out/info" 2>/dev/null
  grep -q '"onepress"' "$out/info" || { echo "$name: the package onepress would not be built" >&2; exit 1; }
  echo "$name: good, $(grep -o '"virtual":' "$out/info" | wc -l) packages"
done
cd "$tree"
# shellcheck disable=SC2046  # names of ours have no blanks
"$buildroot/utils/check-package" --br2-external $(find . -type f ! -name '*.md' ! -name check.sh)
