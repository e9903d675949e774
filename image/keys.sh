#!/bin/sh
# The keys that sign an image: for updates (GPG) and for UEFI Secure Boot (X.509). Private keys are never in the
# sources. Where IMAGE_KEYS= names no folder of the operator's, keys for development are made once in .cache/image/keys.
#   keys.sh         makes what is missing, prints the folder
set -eu
cd "$(dirname "$0")/.."
keys=${IMAGE_KEYS:-.cache/image/keys}
if [ ! -s "$keys/public.gpg" ]; then
  [ -z "${IMAGE_KEYS:-}" ] || { echo "IMAGE_KEYS=$keys has no public.gpg: see image/README.md, Keys" >&2; exit 1; }
  mkdir -p "$keys/gnupg" && chmod 0700 "$keys" "$keys/gnupg"
  gpg --homedir "$keys/gnupg" --batch --quiet --passphrase '' --quick-gen-key 'Onepress development' ed25519 sign never
  gpg --homedir "$keys/gnupg" --batch --quiet --export >"$keys/public.gpg"
fi
if [ ! -s "$keys/secure-boot.crt" ]; then
  openssl req -x509 -newkey rsa:2048 -nodes -days 3650 -subj '/CN=Onepress development/' \
    -keyout "$keys/secure-boot.key" -out "$keys/secure-boot.crt" 2>/dev/null
fi
(cd "$keys" && pwd)
