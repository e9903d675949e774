#!/bin/sh
# What building the appliance image and booting it in a virtual machine needs, on Debian 12 or later. Idempotent; run
# as root. The image's own tools (mkosi, repart, ukify) are not installed here: image/tools.sh keeps them in .cache/.
set -eu
missing=
for package in binutils-aarch64-linux-gnu bmap-tools device-tree-compiler dosfstools fdisk gpg gpg-agent mmdebstrap mtools \
  openssl ovmf python3 qemu-efi-aarch64 qemu-system-arm qemu-system-x86 qemu-user-static qemu-utils socat swtpm xz-utils \
  zstd; do
  [ "$(dpkg-query -W -f='${db:Status-Status}' $package 2>/dev/null)" = installed ] || missing="$missing $package"
done
[ -n "$missing" ] || exit 0
apt-get update
# shellcheck disable=SC2086  # a list of words is what is meant
apt-get install --yes --no-install-recommends $missing
