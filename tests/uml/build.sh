#!/bin/sh
# Builds the user-mode Linux kernel with gpio-sim into .cache/uml/linux; a second run is a no-op.
# The kernel is Debian's own linux-source package, whichever the machine's sources offer.
# About five minutes on two cores, once. Needs tests/setup/uml.sh.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
cache=${ONEPRESS_UML_CACHE:-$here/../../.cache/uml}
mkdir -p "$cache" && cd "$cache"
# Tests run side by side: the first builds, the others wait for it.
exec 9>lock && flock 9
recipe=$(cat "$here/config" "$here/build.sh" | sha256sum)
[ -x linux ] && [ "$(cat recipe 2>/dev/null)" = "$recipe" ] && exit 0

version=$(apt-cache depends linux-source | sed -n 's/.*Depends: linux-source-//p')
[ -e "linux-source-$version.deb" ] || {
  apt-get -o APT::Sandbox::User=root download "linux-source-$version"
  mv "linux-source-$version"_*.deb "linux-source-$version.deb"
}
rm -rf tree && mkdir tree
dpkg-deb --fsys-tarfile "linux-source-$version.deb" |
  tar -xO "./usr/src/linux-source-$version.tar.xz" | tar -xJ -C tree --strip-components=1

cd tree
# gpio-sim takes one interrupt per line, and 64 leave none for it: an edge request then fails with ENXIO.
sed -i 's/^#define NR_IRQS.*/#define NR_IRQS 512/' arch/um/include/asm/irq.h
grep -q 'define NR_IRQS 512' arch/um/include/asm/irq.h
make -s ARCH=um KCONFIG_ALLCONFIG="$here/config" tinyconfig
lost=$(grep '=y$' "$here/config" | grep -vxFf .config || true)
[ -z "$lost" ] || { echo "the kernel configuration lost: $lost" >&2; exit 1; }
nice -n 10 make -s ARCH=um -j"$(nproc)" linux
cp linux ../linux && cd .. && rm -rf tree && printf '%s' "$recipe" >recipe
