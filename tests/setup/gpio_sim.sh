#!/bin/sh
# The kernel's gpio-sim as a module for the appliance image's own kernel, which does not have it: built out of tree from
# Debian's sources with Debian's headers, in a tree of its own, into .cache/gpio-sim/gpio-sim.ko. For virtual machines
# only: it taints a kernel. One argument: the manifest of an image, which names its kernel. A second run is a no-op.
set -eu
cd "$(dirname "$0")/../.."
kernel=$(sed -n 's/.*"linux-image-\([0-9][^"]*\)".*/\1/p' "$1" | head -1)
[ -n "$kernel" ] || { echo "$1 names no kernel: is it a manifest of \`make image\`?" >&2; exit 1; }
cache=.cache/gpio-sim
mkdir -p $cache
exec 9>$cache/lock && flock 9
[ "$(cat $cache/made 2>/dev/null)" = "$kernel" ] && exit 0
echo "gpio-sim for $kernel (two minutes, once) ..."
rm -rf --one-file-system $cache/tree $cache/source
unshare --mount mmdebstrap --quiet --variant=apt --include=gcc,libc6-dev,make,xz-utils,"linux-headers-$kernel" \
  trixie $cache/tree - <.cache/image/sources.list
if ! ls $cache/linux-source-6.12_*.deb >/dev/null 2>&1; then
  (cd $cache && apt-get download linux-source-6.12)
fi
mkdir -p $cache/source
dpkg-deb --fsys-tarfile $cache/linux-source-6.12_*.deb | tar -xO --wildcards './usr/src/linux-source-*.tar.xz' |
  xz -dc --threads=2 | tar -x --strip-components=1 -C $cache/source --wildcards '*/drivers/gpio/gpio-sim.c' '*/kernel/irq/irq_sim.c'
job=$cache/tree/job
mkdir -p $job
cp $cache/source/drivers/gpio/gpio-sim.c $job/sim.c
# irq_to_desc() is for the kernel alone; what it is used for here has a function of its own.
sed 's/handle_simple_irq(irq_to_desc(irqnum));/generic_handle_irq(irqnum);/' $cache/source/kernel/irq/irq_sim.c >$job/irq_sim.c
printf 'obj-m := gpio-sim.o\ngpio-sim-y := sim.o irq_sim.o\n' >$job/Makefile
unshare --mount --pid --fork sh -euc 'mount -t proc proc "$1/proc"; exec chroot "$1" make -s -C "/usr/src/linux-headers-$2" M=/job modules' sh \
  $cache/tree "$kernel"
strip --strip-debug -o $cache/gpio-sim.ko $job/gpio-sim.ko
rm -rf --one-file-system $cache/tree $cache/source
printf '%s' "$kernel" >$cache/made
