# UEFI: one file of kernel and command line behind systemd's stub, and systemd-boot that starts it. Read by post-image.sh,
# which has set $command, $release, $version, $work.
# shellcheck shell=sh disable=SC2154,SC2034
stub=$TARGET_DIR/usr/lib/systemd/boot/efi/linuxx64.efi.stub
echo "$command console=ttyS0,115200" >"$work/command"
# Sections lie one after the other, behind the stub's own.
at=$("$HOST_DIR/bin/x86_64-buildroot-linux-gnu-objdump" -h "$stub" | awk 'NF == 7 { print $3, $4 }' | sort -k2 |
  tail -1 | while read -r length start; do echo $(((0x$length + 0x$start + 0xfff) / 0x1000 * 0x1000)); done)
set --
for section in osrel:"$TARGET_DIR/usr/lib/os-release" cmdline:"$work/command" linux:bzImage; do
  set -- "$@" --add-section ".${section%%:*}=${section#*:}" --change-section-vma ".${section%%:*}=$at"
  at=$(((at + $(stat -c %s "${section#*:}") + 0xfff) / 0x1000 * 0x1000))
done
"$HOST_DIR/bin/x86_64-buildroot-linux-gnu-objcopy" "$@" "$stub" "$release.efi"
end=.efi
rm -rf esp && mkdir -p esp/EFI/BOOT esp/EFI/Linux
cp "$TARGET_DIR/usr/lib/systemd/boot/efi/systemd-bootx64.efi" esp/EFI/BOOT/BOOTX64.EFI
cp "$release.efi" esp/EFI/Linux
