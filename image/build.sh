#!/bin/sh
# Builds one profile into .cache/image/out/<profile>/<version>/: disk, root, verity, UKI, manifest, SBOM.
#   build.sh PROFILE VERSION BINARIES      BINARIES: the folder that cargo built into
# Everything it needs has been made before by tools.sh and keys.sh; `make image` does all of it.
set -eu
cd "$(dirname "$0")/.."
profile=$1 version=$2 binaries=$3
cache=$PWD/.cache/image
keys=$(image/keys.sh)
tree=$cache/tree/$profile
out=${IMAGE_OUT:-$cache/out/$profile/$version}

rm -rf "$tree" && mkdir -p "$tree" "$out"
make -s -f install.mk install DESTDIR="$tree" BUILT="$binaries"
strip "$tree"/usr/bin/onepress*
# /etc/onepress is a place on /var: what it begins with lies beside the program's other files.
rm -rf "$tree"/etc/onepress/* && mkdir -p "$tree/usr/share/onepress/config"
cp "image/config/${profile%%-*}"/*.toml "$tree/usr/share/onepress/config"
install -D -m 0644 "$keys/public.gpg" "$tree/usr/lib/systemd/import-pubring.gpg"
install -D -m 0644 "$keys/public.gpg" "$tree/usr/share/onepress/image-keys.gpg"
# The folder's own dates go into the image.
find "$tree" -exec touch --no-dereference --date=@1764028800 {} +

# In memory where there is room: the build is bound by fsync otherwise.
free=$(df --output=avail -BG /dev/shm 2>/dev/null | tail -1 | tr -dc 0-9)
workspace=$cache/workspace && [ "${free:-0}" -lt 4 ] || workspace=/dev/shm/onepress-image
mkdir -p "$workspace" "$cache/cache" "$cache/packages"
PYTHONPATH=$cache/tools/usr/lib/python3/dist-packages PYTHONDONTWRITEBYTECODE=1 nice -n 10 python3 -m mkosi \
  --directory=image --profile="$profile" --tools-tree="$cache/tools" --sandbox-tree="$cache/sandbox" \
  --workspace-directory="$workspace" --cache-directory="$cache/cache" --package-cache-directory="$cache/packages" \
  --output-directory="$out" --extra-tree="$tree" --image-id="onepress-$profile" --image-version="$version" \
  --secure-boot --secure-boot-sign-tool=sbsign --secure-boot-key="$keys/secure-boot.key" \
  --secure-boot-certificate="$keys/secure-boot.crt" --force build
ls -l "$out"
