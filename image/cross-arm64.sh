#!/bin/sh
# Builds all daemons for arm64 on an x86-64 machine, into target/aarch64-unknown-linux-gnu/<profile>, and runs some of them
# under QEMU's user mode. In a tree of Debian 12, whose C library is the oldest that an appliance has, made once in
# .cache/cross-arm64 from the machine's own mirror. Run as root, after `make console`.
#   cross-arm64.sh [PROFILE]        dist (default), release or dev
set -eu
cd "$(dirname "$0")/.."
profile=${1:-dist}
tree=.cache/cross-arm64
target=aarch64-unknown-linux-gnu
missing=
for package in mmdebstrap debian-archive-keyring qemu-user-static; do
  [ "$(dpkg-query -W -f='${db:Status-Status}' $package 2>/dev/null)" = installed ] || missing="$missing $package"
done
if [ -n "$missing" ]; then
  apt-get update
  # shellcheck disable=SC2086  # a list of words is what is meant
  apt-get install --yes --no-install-recommends $missing
fi
mkdir -p .cache
if [ ! -e $tree/.complete ]; then
  # Rust comes with the security updates; where they come from is this machine's own configuration.
  for suite in bookworm bookworm-updates bookworm-security; do
    # shellcheck disable=SC2016  # apt's own words
    site=$(apt-get indextargets --format '$(SITE)' 'Created-By: Packages' "Codename: $suite" | head -1)
    [ -z "$site" ] || echo "deb $site $suite main"
  done >.cache/cross-arm64.list
  echo "making $tree (some minutes, once) ..."
  # In a mount namespace of its own, so that nothing stays mounted below it whatever ends it.
  rm -rf --one-file-system $tree
  unshare --mount mmdebstrap --quiet --dpkgopt=force-unsafe-io --variant=apt --architectures=amd64,arm64 \
    --include=rustc-web,cargo-web,libstd-rust-web-dev:arm64,gcc,libc6-dev,gcc-aarch64-linux-gnu,libc6-dev-arm64-cross \
    bookworm $tree - <.cache/cross-arm64.list
  mkdir -p $tree/src $tree/cargo
  touch $tree/.complete
fi
cargo fetch --quiet --locked --target $target
# shellcheck disable=SC2016  # for the shell inside
unshare --mount sh -euc '
  mount --bind . "$0/src" && mount --bind "${CARGO_HOME:-$HOME/.cargo}" "$0/cargo"
  mount -t proc none "$0/proc" && mount --rbind /dev "$0/dev"
  exec chroot "$0" env -i PATH=/usr/bin:/bin HOME=/root CARGO_HOME=/cargo TERM=dumb $3 \
    CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER=aarch64-linux-gnu-gcc \
    CC_aarch64_unknown_linux_gnu=aarch64-linux-gnu-gcc AR_aarch64_unknown_linux_gnu=aarch64-linux-gnu-ar \
    sh -c "cd /src && cargo build --locked --offline --target $2 --profile $1 --bins"
' $tree "$profile" $target "$(env | grep ^CARGO_PROFILE_ || true)"

folder=target/$target/$([ "$profile" = dev ] && echo debug || echo "$profile")
# Examples name board files where an appliance has them.
example=$(mktemp)
trap 'rm -f "$example"' EXIT
run() { QEMU_LD_PREFIX=/nonexistent qemu-aarch64-static -L $tree/usr/aarch64-linux-gnu "$@"; }
# shellcheck disable=SC2016  # for make
for program in $(make -s -f install.mk --eval='names: ; @echo $(INSTALLED_BINARIES)' names); do
  run "$folder/$program" --version
  shipped=daemons/${program#onepress-}/${program#onepress-}.toml.example
  [ -e "$shipped" ] || continue
  sed "s,/usr/share/onepress/boards,$PWD/hw/boards," "$shipped" >"$example"
  run "$folder/$program" --config "$example" --check >/dev/null
done
