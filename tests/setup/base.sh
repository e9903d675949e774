#!/bin/sh
# What building needs: a C compiler (SQLite and ring contain C, libFuzzer is C++), Node.js for the console,
# cargo-nextest for tests.
set -eu
command -v cargo >/dev/null || { echo "cargo is missing: install Rust 1.95 or later (https://rustup.rs)" >&2; exit 1; }
missing=
command -v cc >/dev/null || missing="$missing gcc libc6-dev"
command -v c++ >/dev/null || missing="$missing g++" # libFuzzer
command -v node >/dev/null || missing="$missing nodejs npm"
if [ -n "$missing" ]; then
  apt-get update
  # shellcheck disable=SC2086  # a list of words is what is meant
  apt-get install --yes --no-install-recommends $missing
fi
node -e 'const [a, b] = process.versions.node.split("."); process.exit(a > 20 || (a == 20 && b >= 19) ? 0 : 1)' || {
  echo "the console needs Node.js 20.19 or later; here is $(node --version)" >&2
  exit 1
}
