#!/bin/sh
# Makes an installation stick of a built image, and what `onepress flash` wants beside it:
#   stick.sh PROFILE VERSION      into .cache/image/out/<profile>/<version>/stick/
# The stick is the image and two things more: a partition for the site's files, and a signed addon to the kernel's
# arguments that makes the same system install itself.
set -eu
cd "$(dirname "$0")/.."
profile=$1 version=$2
. image/profile.sh
out=$from/stick
raw=$out/$name.stick.raw
rm -rf "$out" && mkdir -p "$out"
export SOURCE_DATE_EPOCH=1764028800

cp --sparse=always "$from/$name.raw" "$raw"
truncate --size=+64M "$raw"
sfdisk --quiet --relocate gpt-bak-std "$raw"
echo 'size=32M, type=EBD0A0A2-B9E5-4433-87C0-68B6B72699C7, name=PROVISION, uuid=8f4b7f0e-0a35-4b0e-8a4d-6f1f2c9b7a10' |
  sfdisk --quiet --append --no-reread "$raw" 2>/dev/null
mformat -i "$(volume "$raw" PROVISION)" -T "$(part "$raw" PROVISION size)" -h 16 -s 63 -v PROVISION -N 0e0e55aa ::

addon=$out/addon
mkdir -p "$addon" && cp "$keys/secure-boot.key" "$keys/secure-boot.crt" "$addon"
image/run.sh "$addon" ukify build --stub=/usr/lib/systemd/boot/efi/addonx64.efi.stub --output=/job/install.addon.efi \
  --secureboot-private-key=/job/secure-boot.key --secureboot-certificate=/job/secure-boot.crt \
  --cmdline="onepress.install systemd.unit=onepress-install.target systemd.volatile=state \
systemd.verity_root_data=/dev/onepress-stick/root systemd.verity_root_hash=/dev/onepress-stick/verity \
$(printf 'rd.systemd.mask=%s ' sysroot-var.mount systemd-repart.service onepress-machine-id.service)\
$(printf 'systemd.mask=%s ' systemd-repart.service etc-onepress.mount appliance-state.service appliance-site.service)"
esp=$(volume "$raw" esp)
mmd -i "$esp" ::/loader/addons
mcopy -i "$esp" "$addon/install.addon.efi" ::/loader/addons/install.addon.efi
rm -r "$addon"

bmaptool create --output "$raw.bmap" "$raw"
cd "$out"
[ -n "${STICK_RAW:-}" ] || { xz --threads=2 -2 --force "${raw##*/}"; }
sha256sum "$name".stick.raw* >SHA256SUMS
sign
ls -l
