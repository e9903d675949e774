#!/bin/sh
# The peers that `make bench` compares with: Mosquitto, NATS and Janus, from Debian. Idempotent; run as root.
# The bench starts instances of its own, so the packages' services are kept from starting.
set -eu
missing=
for package in mosquitto nats-server janus; do
  [ "$(dpkg-query -W -f='${db:Status-Status}' $package 2>/dev/null)" = installed ] || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

policy=/usr/sbin/policy-rc.d
if [ ! -e $policy ]; then
  trap 'rm -f $policy' EXIT
  printf '#!/bin/sh\nexit 101\n' > $policy
  chmod 755 $policy
fi
apt-get update
# shellcheck disable=SC2086  # a list of words is what is meant
apt-get install --yes --no-install-recommends $missing
if command -v systemctl >/dev/null; then
  # shellcheck disable=SC2086
  systemctl disable $missing
fi
