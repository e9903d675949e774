#!/bin/sh
# The stock MoQ relay that `make bench` measures beside ours, built into .cache/peers. Idempotent; takes half an hour
# the first time. Without --locked: the published lock file names versions that not every mirror has.
set -eu
cd "$(dirname "$0")/../.."
version=0.17.10
if [ -x .cache/peers/bin/moq-relay ] && grep -qs "\"moq-relay $version " .cache/peers/.crates.toml; then
  exit 0
fi
CARGO_TARGET_DIR=.cache/peers/target exec cargo install moq-relay --version $version --no-default-features \
  --features noq,websocket --root .cache/peers
