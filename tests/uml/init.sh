#!/bin/sh
# PID 1 in user-mode Linux. The host's files are root, read-only, and again under /media, where nothing hides
# them; all that is written goes to memory, but for the scratch directory of the run (kernel argument SCRATCH=),
# which is /mnt here and survives.
mount --bind / /media
mount -t proc none /proc
mount -t sysfs none /sys
mount -t configfs none /sys/kernel/config
mount -t devtmpfs none /dev
mkdir -p /dev/pts /dev/shm
mount -t devpts -o ptmxmode=0666 none /dev/pts
for place in /dev/shm /run /tmp /var/lib; do mount -t tmpfs none $place; done
mount -t hostfs -o "$SCRATCH" none /mnt
ip link set lo up
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/tmp TMPDIR=/tmp
cd /tmp || exit

. /mnt/environment
sh -c '. "$LIB" && set -eu && . /mnt/script' </dev/null >/mnt/output 2>&1
echo $? >/mnt/status
# Without `halt` the end of PID 1 is a panic, which ends the kernel just as well.
halt -f
