#!/bin/sh
# Builds the programs for x86-64 once more, from a copy of the sources in another folder, with nothing kept but the
# downloaded crates, and compares what an image takes of them:
#   reproduce-programs.sh CARGO_PROFILE [PROGRAM...]     all of them, or those that are named
# Every program must be the same, byte for byte; those that are not are named, and the end is a failure.
set -eu
cd "$(dirname "$0")/.."
cargo_profile=$1 profile=edge-x86 version=
shift
. image/profile.sh
# shellcheck disable=SC2016,SC2046  # for make; a list of words
[ $# -gt 0 ] || set -- $(make -s -f install.mk --eval='names: ; @echo $(INSTALLED_BINARIES)' names)
folder=target/$([ "$cargo_profile" = dev ] && echo debug || echo "$cargo_profile")
again=$PWD/.cache/image/again-programs
rm -rf "$again" && mkdir -p "$again/src" "$again/first" "$again/second"
bins=
for program; do
  [ -x "$folder/$program" ] || { echo "build it first: cargo build --profile $cargo_profile --bins" >&2; exit 1; }
  bins="$bins --bin $program"
  stripped -o "$again/first/$program" "$folder/$program"
done
git ls-files -z | xargs -0 cp --parents --no-dereference --target-directory="$again/src"
# shellcheck disable=SC2086  # a list of words is what is meant
(make --no-print-directory -C "$again/src" console &&
  cd "$again/src" && env -u CARGO_TARGET_DIR cargo build --locked --profile "$cargo_profile" $bins) >"$again/log" 2>&1 ||
  { tail -n 30 "$again/log"; exit 1; }
differs=
for program; do
  stripped -o "$again/second/$program" "$again/src/$folder/$program"
  cmp "$again/first/$program" "$again/second/$program" || differs="$differs $program"
done
[ -z "$differs" ] || { echo "not the same:$differs; both are kept in $again" >&2; exit 1; }
rm -rf "$again"
echo "$cargo_profile: built twice, in two folders, the same: $*"
