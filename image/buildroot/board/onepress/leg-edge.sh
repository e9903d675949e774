# A Raspberry Pi: the files of a boot partition, and the partition that says which of two is started. Read by
# post-image.sh, which has set $command, $release, $board, $work.
# shellcheck shell=sh disable=SC2154,SC2034,SC2046
boot=$binaries/boot-files
rm -rf "$boot" && mkdir "$boot"
cp rpi-firmware/start4.elf rpi-firmware/fixup4.dat ./*.dtb Image "$boot"
cp "$board/config.txt" "$boot"
echo "$command console=ttyAMA0,115200" >"$boot/cmdline.txt"
tar --format=ustar --owner=0 --group=0 --numeric-owner --mode=0644 --mtime=@0 -cf "$release.boot.tar" -C "$boot" \
  $(ls "$boot")
end=.boot.tar
mkdir -p "$binaries/first"
cp "$board/autoboot.txt" "$binaries/first"
: >"$binaries/first/config.txt"
