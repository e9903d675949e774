#!/bin/sh
# A tree of Debian 13 with the systemd-sysupdate, gpg and veritysetup that the appliance has (bookworm has no sysupdate),
# in .cache/trixie; tests run them there in a namespace of their own. From the machine's own mirror. Idempotent; run as root.
set -eu
cd "$(dirname "$0")/../.."
tree=.cache/trixie
[ ! -e $tree/.complete ] || exit 0
missing=
for package in mmdebstrap debian-archive-keyring gpg gpg-agent gpgv xz-utils fdisk; do
  [ "$(dpkg-query -W -f='${db:Status-Status}' $package 2>/dev/null)" = installed ] || missing="$missing $package"
done
if [ -n "$missing" ]; then
  apt-get update
  # shellcheck disable=SC2086  # a list of words is what is meant
  apt-get install --yes --no-install-recommends $missing
fi
# shellcheck disable=SC2016  # apt's own words
mirror=$(apt-get indextargets --format '$(SITE)' 'Created-By: Packages' 'Codename: bookworm' | head -1)
[ -n "$mirror" ] || { echo "no Debian mirror in this machine's apt configuration" >&2; exit 1; }
rm -rf --one-file-system $tree
mkdir -p .cache
echo "making $tree (about a minute, once) ..."
# In a mount namespace of its own, so that nothing stays mounted below it whatever ends it.
unshare --mount mmdebstrap --quiet --variant=extract --include=systemd-container,systemd,gpgv,gpg,gpgconf,dash,coreutils,tar,xz-utils \
  trixie $tree "deb $mirror trixie main"
touch $tree/.complete
