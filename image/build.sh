#!/bin/sh
# Builds one profile into .cache/image/out/<profile>/<version>/: disk, root, verity, UKI, manifest, SBOM, and what they sum to.
#   build.sh PROFILE VERSION BINARIES      BINARIES: the folder that cargo built into
# Everything it needs has been made before by tools.sh and keys.sh; `make image` does all of it.
set -eu
cd "$(dirname "$0")/.."
profile=$1 version=$2 binaries=$3
. image/profile.sh
cache=$PWD/.cache/image
tree=$cache/tree/$profile
out=$from

rm -rf "$tree" && mkdir -p "$tree" "$out"
make -s -f install.mk install DESTDIR="$tree" BUILT="$binaries" ROLE="${profile%%-*}"
stripped "$tree"/usr/bin/onepress*
# /etc/onepress is a place on /var: what it begins with lies beside the program's other files.
rm -rf "$tree"/etc/onepress/* && mkdir -p "$tree/usr/share/onepress/config"
cp "image/config/${profile%%-*}"/*.toml "$tree/usr/share/onepress/config"
install -D -m 0644 "$keys/public.gpg" "$tree/usr/lib/systemd/import-pubring.gpg"
install -D -m 0644 "$keys/public.gpg" "$tree/usr/share/onepress/image-keys.gpg"
# For the laboratory: a folder of files that go over all others, to make a version that is broken.
[ -z "${IMAGE_EXTRA:-}" ] || cp -a "$IMAGE_EXTRA/." "$tree/"
# The folder's own dates go into the image.
find "$tree" -exec touch --no-dereference --date=@1764028800 {} +

# In memory where there is room, for the build is bound by fsync otherwise; a mount of its own, which ends with it.
workspace=$cache/workspace
kept=${IMAGE_CACHE:-$cache/cache}
mkdir -p "$workspace" "$kept" "$cache/packages"
# mkosi keeps a tree of packages for ever; after a day it may lack a security update of Debian's.
find "$kept" -mindepth 1 -maxdepth 1 -name "debian~*" -mmin +1440 -exec rm -rf {} +
free=$(sed -n 's/^MemAvailable: *\([0-9]*\)[0-9]\{6\} kB/\1/p' /proc/meminfo)
export PYTHONPATH="$cache/tools/usr/lib/python3/dist-packages" PYTHONDONTWRITEBYTECODE=1
export workspace free
enter="unshare --mount"
[ "$architecture" = x86-64 ] || enter=image/foreign.sh
$enter sh -euc '[ "${free:-0}" -lt 5 ] || mount -t tmpfs -o size=6G none "$workspace"; exec "$@"' sh \
  nice -n "${IMAGE_NICE:-10}" python3 -m mkosi --directory=image --profile="$profile" --architecture="$architecture" \
  --tools-tree="$cache/tools" --sandbox-tree="$cache/sandbox" --workspace-directory="$workspace" \
  --cache-directory="$kept" --package-cache-directory="$cache/packages" --output-directory="$out" \
  --extra-tree="$tree" --image-id="onepress-$profile" --image-version="$version" \
  --secure-boot --secure-boot-sign-tool=sbsign --secure-boot-key="$keys/secure-boot.key" \
  --secure-boot-certificate="$keys/secure-boot.crt" --force build
image/sbom.py "$out/$name.manifest" "$target" >"$out/$name.cdx.json"
[ "$profile" != edge-arm64 ] || image/pi.sh "$version"
(cd "$out" && sha256sum "$name".* >"$name.sums")
ls -l "$out"
