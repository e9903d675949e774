#!/bin/sh
# The tools that build the image, of the release the image is made of, in .cache/image/tools: two minutes, once.
# Their packages come from where this machine's own apt gets Debian's.
set -eu
cd "$(dirname "$0")/.."
release=trixie
cache=.cache/image
packages=mkosi,systemd-repart,systemd-ukify,systemd-boot,systemd-boot-efi,systemd-container,systemd-cryptsetup
packages=$packages,erofs-utils,dosfstools,mtools,e2fsprogs,cryptsetup-bin,bubblewrap,zstd,xz-utils,cpio,kmod,gpg,gpgv
packages=$packages,uidmap,python3-pefile,sbsigntool,faketime,openssl,fdisk,apt-utils,dpkg-dev,bmap-tools,qemu-utils
packages=$packages,util-linux,debian-archive-keyring
mkdir -p $cache
exec 9>$cache/tools.lock && flock 9

sources() {
  apt-get indextargets --format '$(LABEL) $(REPO_URI)' 'Identifier: Packages' 'Origin: Debian' 'Component: main' |
    sort -u | while read -r label uri; do
    case $label in
    Debian) printf 'deb %s %s main\ndeb %s %s-updates main\n' "$uri" $release "$uri" $release ;;
    Debian-Security) printf 'deb %s %s-security main\n' "$uri" $release ;;
    esac
  done
}
sources >$cache/sources.list
[ -s $cache/sources.list ] || { echo "this machine's apt has no Debian mirror: see sources.list(5)" >&2; exit 1; }
mkdir -p $cache/sandbox/etc/apt/sources.list.d
sed -n 's/^deb \([^ ]*\) \([^ ]*\) main$/Types: deb\nURIs: \1\nSuites: \2\nComponents: main\nSigned-By: \/usr\/share\/keyrings\/debian-archive-keyring.gpg\n/p' \
  $cache/sources.list >$cache/sandbox/etc/apt/sources.list.d/mkosi.sources

recipe=$(echo "$packages $release" | sha256sum)
# The time in a signature is that of the sources, and stands still: else no two builds would be the same.
wrapper() {
  rm -f $cache/tools/usr/local/bin/sbsign
  [ -e $cache/tools/usr/bin/sbsign.real ] || mv $cache/tools/usr/bin/sbsign $cache/tools/usr/bin/sbsign.real
  printf '#!/bin/sh\nexec faketime -f "%s" /usr/bin/sbsign.real "$@"\n' "$(date -u -d @1764028800 '+%F %T')" \
    >$cache/tools/usr/bin/sbsign
  chmod 0755 $cache/tools/usr/bin/sbsign
}
[ "$(cat $cache/tools/recipe 2>/dev/null)" = "$recipe" ] && { wrapper; exit 0; }
echo "image: making the tools (two minutes, once) ..."
rm -rf $cache/tools
mmdebstrap --quiet --dpkgopt=force-unsafe-io --variant=apt --include=$packages $release $cache/tools - <$cache/sources.list
wrapper
printf '%s' "$recipe" >$cache/tools/recipe
