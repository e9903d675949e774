# shellcheck shell=sh disable=SC2034
# What follows from the name of a profile, and where its files are. Read by the scripts beside it, which have set
# $profile and $version and stand in the repository's root.
case $profile in
rack | edge-x86)
  architecture=x86-64 kernel=amd64 target=x86_64-unknown-linux-gnu strip=strip
  ;;
edge-arm64)
  architecture=arm64 kernel=arm64 target=aarch64-unknown-linux-gnu strip=aarch64-linux-gnu-strip
  ;;
*)
  echo "PROFILE must be one of: rack edge-x86 edge-arm64" >&2
  exit 1
  ;;
esac
keys=$(image/keys.sh)
# What an image takes of programs: no debugging information, and no build id, which is a sum over that and so over the
# folder in which they were built.
stripped() { "$strip" --remove-section=.note.gnu.build-id "$@"; }
name=onepress-${profile}_$version
from=${IMAGE_OUT:-$PWD/.cache/image/out/$profile/$version}

# A field (start, size, uuid) of a partition of a disk in a file: part DISK NAME FIELD
part() {
  sfdisk --json "$1" | python3 -c '
import json, sys
for part in json.load(sys.stdin)["partitiontable"]["partitions"]:
    if part["name"] == sys.argv[1]: print(str(part[sys.argv[2]]).lower())' "$2" "$3"
}
# The same as mtools name it.
volume() { echo "$1@@$(($(part "$1" "$2" start) * 512))"; }
# Signs what a folder's SHA256SUMS lists.
sign() { gpg --homedir "$keys/gnupg" --batch --yes --quiet --detach-sign --output SHA256SUMS.gpg SHA256SUMS; }
