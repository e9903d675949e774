#!/bin/sh
# run.sh TARGET SECONDS: feeds a target that is built, from its seeds and what earlier runs found; on a failure says
# what failed and how to repeat it. `make fuzz` builds and calls this for all.
set -eu
cd "$(dirname "$0")"
host=$(rustc -vV | sed -n 's/^host: //p')
work=../target/fuzz/found/$1
mkdir -p "$work/inputs" "$work/failures"
seeds=corpus/$1
[ "$1" != board ] || seeds=../hw/boards
if "../target/fuzz/$host/debug/$1" -max_total_time="$2" -timeout=20 -rss_limit_mb=1024 -reload=0 \
  -artifact_prefix="$work/failures/" "$work/inputs" "$seeds" >"$work/log" 2>&1; then
  echo "$1: $(sed -n 's/^Done \([0-9]*\) runs.*/\1/p' "$work/log") inputs"
else
  sed -n '/panicked at/,/^stack backtrace/p; /ERROR: libFuzzer/p' "$work/log"
  input=$(sed -n 's/.*Test unit written to //p' "$work/log" | tail -1)
  echo "$1 fails; again with: cd fuzz && cargo run --bin $1 $input"
  exit 1
fi
