#!/bin/sh
# Builds an image that was built once more, with nothing kept from then but the downloaded packages, and compares:
#   reproduce.sh PROFILE VERSION BINARIES
# Every file must be the same, byte for byte; those that are not are named, and the end is a failure.
set -eu
cd "$(dirname "$0")/.."
profile=$1 version=$2 binaries=$3
first=$PWD/.cache/image/out/$profile/$version
[ -s "$first/onepress-${profile}_$version.raw" ] || { echo "build it first: make image PROFILE=$profile VERSION=$version" >&2; exit 1; }
again=$PWD/.cache/image/again
rm -rf "$again" && mkdir -p "$again/cache" "$again/out"
IMAGE_OUT=$again/out IMAGE_CACHE=$again/cache image/build.sh "$profile" "$version" "$binaries" >"$again/log" 2>&1 ||
  { tail -n 30 "$again/log"; exit 1; }
differs=
for one in "$first/onepress-${profile}_$version".*; do
  case $one in *.bundle | *.sums) continue ;; esac
  cmp "$one" "$again/out/${one##*/}" || differs="$differs ${one##*/}"
done
case $differs in
*.manifest*)
  echo "it has other packages than when it was built, Debian's archive having moved or our list (compare the manifests; the second build is in $again/out): make the image anew, then compare" >&2
  exit 1
  ;;
esac
[ -z "$differs" ] || { echo "not the same:$differs; both are kept, the second in $again/out" >&2; exit 1; }
rm -rf "$again"
echo "onepress-${profile} $version: built twice, the same"
