#!/bin/sh
# Chromium with Chinese fonts, and the library that drives it.
set -eu
cd "$(dirname "$0")/../browser"
missing=
for package in chromium fonts-noto-cjk; do
  [ "$(dpkg-query -W -f='${db:Status-Status}' $package 2>/dev/null)" = installed ] || missing="$missing $package"
done
if [ -n "$missing" ]; then
  apt-get update
  # shellcheck disable=SC2086  # a list of words is what is meant
  apt-get install --yes --no-install-recommends $missing
fi
[ node_modules/.package-lock.json -nt package-lock.json ] || { npm ci --no-audit --no-fund && touch node_modules/.package-lock.json; }
