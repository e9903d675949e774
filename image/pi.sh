#!/bin/sh
# Makes of a built image for arm64 what a Raspberry Pi 4 or CM4 starts from: a disk, and the files of a boot partition for
# its updates. Kernel, initrd and arguments are those of the signed UKI; root and verity are the same.
#   pi.sh VERSION      into .cache/image/out/edge-arm64/<version>/: .pi.raw, .boot.tar, .pi.json (what the firmware is)
# The layout is told in daemons/onepress/src/update/tryboot/mod.rs. Its firmware is not free software, and no part of
# Debian's `main`: it may be passed on, and nothing of it is kept in the sources.
set -eu
cd "$(dirname "$0")/.."
profile=edge-arm64 version=$1
. image/profile.sh
cache=$PWD/.cache/image
board=$PWD/image/buildroot/board/onepress
work=$from/pi
rm -rf "$work" && mkdir -p "$work/boot" "$work/firmware" "$work/kernel"
export SOURCE_DATE_EPOCH=1764028800 MTOOLS_SKIP_CHECK=1
date='1764028800'

# The firmware's package, by the machine's own apt, from where the image's other packages come.
sed -n 's/ main$/ non-free-firmware/p' "$cache/sources.list" >"$cache/firmware.list"
mkdir -p "$cache/firmware/lists/partial" "$cache/firmware/archives/partial"
ours() {
  apt-get --quiet=2 -o Dir::Etc::SourceList="$cache/firmware.list" -o Dir::Etc::SourceParts=- \
    -o Dir::State::Lists="$cache/firmware/lists" -o Dir::Cache="$cache/firmware" -o APT::Architecture=arm64 -o APT::Architectures::=arm64 \
    -o APT::Sandbox::User=root "$@"
}
if ! ls "$cache/firmware"/raspi-firmware_*.deb >/dev/null 2>&1; then
  ours update
  (cd "$cache/firmware" && ours download raspi-firmware)
fi
firmware=$(ls "$cache/firmware"/raspi-firmware_*.deb)
dpkg-deb --extract "$firmware" "$work/firmware"
cp "$work/firmware/usr/lib/raspi-firmware/start4.elf" "$work/firmware/usr/lib/raspi-firmware/fixup4.dat" "$work/boot"
linux=$(python3 -c '
import json, sys
for package in json.load(open(sys.argv[1]))["packages"]:
    if package["name"].startswith("linux-image-6"): print(package["name"] + "_" + package["version"])' "$from/$name.manifest")
linux=$(find "$cache/packages" -name "$(echo "$linux" | sed 's/:/%3a/')_arm64.deb" | head -1)
dpkg-deb --fsys-tarfile "$linux" | tar -x -C "$work/kernel" --wildcards './usr/lib/linux-image-*/broadcom/bcm2711-rpi-*'
cp "$work/kernel"/usr/lib/linux-image-*/broadcom/bcm2711-rpi-4-b.dtb \
  "$work/kernel"/usr/lib/linux-image-*/broadcom/bcm2711-rpi-cm4-io.dtb "$work/boot"

cp "$from/$name.efi" "$work/uki.efi"
image/run.sh "$work" python3 -c '
import pefile
for section in pefile.PE("/job/uki.efi").sections:
    name = section.Name.rstrip(b"\0").decode()
    to = {".linux": "Image", ".initrd": "initrd", ".cmdline": "cmdline.txt"}.get(name)
    if to:
        data = section.get_data(length=section.Misc_VirtualSize)
        open("/job/boot/" + to, "wb").write(data.rstrip(b"\0\n ") if to == "cmdline.txt" else data)'
# The firmware unpacks a kernel by itself; as it is, an update would be a third longer.
gzip -9 --no-name "$work/boot/Image"
sed 's/^kernel=Image$/kernel=Image.gz/' "$board/config.txt" >"$work/boot/config.txt"
echo 'initramfs initrd followkernel' >>"$work/boot/config.txt"
# The serial line on the pins, as the kernel counts on a Pi: the other one is Bluetooth's.
printf ' console=ttyS1,115200\n' >>"$work/boot/cmdline.txt"
(cd "$work/boot" && ls | sort >"$work/list")
tar --format=ustar --owner=0 --group=0 --numeric-owner --mode=0644 --mtime=@$date -cf "$from/$name.boot.tar" \
  -C "$work/boot" --files-from="$work/list"
printf '{"package": "%s", "license": "redistributable binaries of Broadcom and Raspberry Pi, non-free-firmware"}\n' \
  "$(basename "$firmware" .deb)" >"$from/$name.pi.json"

disk=$from/$name.pi.raw
rm -f "$disk"
truncate --size=1640M "$disk"
uuid() { part "$from/$name.raw" "$1" uuid; }
sfdisk --quiet "$disk" <<TABLE
label: gpt
label-id: 5b1d7a52-7d0e-4b51-9f0c-6f3e1c6f2b10
name=autoboot, size=4M, type=EBD0A0A2-B9E5-4433-87C0-68B6B72699C7, uuid=5b1d7a52-7d0e-4b51-9f0c-6f3e1c6f2b11
name=boot-a, size=512M, type=C12A7328-F81F-11D2-BA4B-00A0C93EC93B, uuid=5b1d7a52-7d0e-4b51-9f0c-6f3e1c6f2b12
name=boot-b, size=512M, type=EBD0A0A2-B9E5-4433-87C0-68B6B72699C7, uuid=5b1d7a52-7d0e-4b51-9f0c-6f3e1c6f2b13
name=verity_$version, size=32M, type=$(part "$from/$name.raw" "verity_$version" type), uuid=$(uuid "verity_$version"), attrs=GUID:60
name=root_$version, size=512M, type=$(part "$from/$name.raw" "root_$version" type), uuid=$(uuid "root_$version"), attrs=GUID:60
TABLE
put() { dd if="$1" of="$disk" bs=1M seek=$(($(part "$disk" "$2" start) / 2048)) conv=notrunc,sparse status=none; }
put "$from/$name.root-arm64-verity.raw" "verity_$version"
put "$from/$name.root-arm64.raw" "root_$version"
make_fat() {
  mformat -i "$(volume "$disk" "$1")" -T "$(part "$disk" "$1" size)" -h 16 -s 63 -v "$2" -N "$3" ${4:-} ::
}
make_fat autoboot AUTOBOOT 0e0e55b0
make_fat boot-a BOOT-A 0e0e55b1 -F
make_fat boot-b BOOT-B 0e0e55b2 -F
: >"$work/config.txt"
touch --date=@$date "$work/config.txt" "$board/autoboot.txt"
mcopy -m -i "$(volume "$disk" autoboot)" "$board/autoboot.txt" "$work/config.txt" ::
find "$work/boot" -exec touch --date=@$date {} +
mcopy -m -i "$(volume "$disk" boot-a)" "$work/boot"/* ::
rm -r "$work"
ls -l "$disk"
