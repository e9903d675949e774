# Shell functions for scripts in user-mode Linux. Values are physical: 1 is high, 0 is low.

sim=/sys/kernel/config/gpio-sim

# chip NAME LINE...: makes a GPIO chip whose lines bear these names, in order; `-` leaves one without.
chip() {
  bank=$sim/$1/bank0; name=$1; shift
  mkdir -p "$bank"; echo "$name" >"$bank/label"; echo $# >"$bank/num_lines"
  offset=0
  for line; do
    if [ "$line" != - ]; then mkdir "$bank/line$offset"; echo "$line" >"$bank/line$offset/name"; fi
    offset=$((offset + 1))
  done
  echo 1 >"${bank%/bank0}/live"
}

# line NAME: sets `directory` to the sysfs directory of a line, which holds `pull` and `value`.
# Built-ins only: a process costs some hundredths of a second here.
line() {
  for config in "$sim"/*/bank0/line*; do
    [ -e "$config/name" ] && read -r named <"$config/name" && [ "$named" = "$1" ] || continue
    read -r device <"${config%/bank0/*}/dev_name"
    read -r chip <"${config%/line*}/chip_name"
    directory=/sys/devices/platform/$device/$chip/sim_gpio${config##*/line}
    return
  done
  echo "no line is named $1" >&2; return 1
}

# pull NAME up|down: what hangs on an input pulls it.
pull() { line "$1" && echo "pull-$2" >"$directory/pull"; }

# value NAME: prints 1 or 0, of an output as driven, of an input as pulled.
value() { line "$1" && cat "$directory/value"; }

# eventually SECONDS COMMAND...: until the command succeeds; a failure after that long.
eventually() {
  read -r now _ </proc/uptime
  deadline=$((${now%.*} + $1)); shift
  until "$@"; do
    read -r now _ </proc/uptime
    [ "${now%.*}" -le "$deadline" ] || { echo "never: $*" >&2; return 1; }
    sleep 0.02
  done
}

# reads NAME VALUE: whether a line has this value; for `eventually`.
reads() { line "$1" && read -r level <"$directory/value" && [ "$level" = "$2" ]; }

# says FILE TEXT: whether a file has this text; for `eventually`.
says() { grep -qF -- "$2" "$1" 2>/dev/null; }
