#!/bin/sh
# The test runner.
set -eu
command -v cargo-nextest >/dev/null || cargo install cargo-nextest --locked
