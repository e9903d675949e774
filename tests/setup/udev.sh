#!/bin/sh
# What the udev and systemd tests need, on Debian 12 or later. Idempotent; run as root.
set -eu
missing=
for package in make systemd udev umockdev util-linux; do
  [ "$(dpkg-query -W -f='${db:Status-Status}' $package 2>/dev/null)" = installed ] || missing="$missing $package"
done
[ -n "$missing" ] || exit 0
apt-get update
# shellcheck disable=SC2086  # a list of words is what is meant
apt-get install --yes --no-install-recommends $missing
