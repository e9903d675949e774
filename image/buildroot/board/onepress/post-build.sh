#!/bin/sh
# Makes the root file system what the other images are: the same files beside the packages, from image/.
#   post-build.sh TARGET PROFILE
set -eu
target=$1 profile=$2
image=$(realpath "$(dirname "$0")/../../..")
version=${ONEPRESS_VERSION:-0}

cp -a "$image/mkosi.extra/." "$target/"
cp -a "$image/mkosi.profiles/${profile%%-*}.extra/." "$target/"
mkdir -p "$target/usr/share/onepress/config" "$target/usr/share/onepress" "$target/usr/lib/systemd"
cp "$image/config/${profile%%-*}"/*.toml "$target/usr/share/onepress/config"
keys=$("$image/keys.sh")
install -m 0644 "$keys/public.gpg" "$target/usr/share/onepress/image-keys.gpg"
install -m 0644 "$keys/public.gpg" "$target/usr/lib/systemd/import-pubring.gpg"
sed -i '/^IMAGE_/d' "$target/usr/lib/os-release"
printf 'IMAGE_ID=onepress-%s\nIMAGE_VERSION=%s\n' "$profile" "$version" >>"$target/usr/lib/os-release"
