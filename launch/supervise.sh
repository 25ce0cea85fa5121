#!/usr/bin/env bash
# Starts a run and sees to it that it ends: when a link between hosts is cut, the ranks end in time,
# but mpirun waits for those beyond it for ever.
#   launch/supervise.sh RUN_DIR mpirun -np 8 kantor run PROBLEM.toml --out RUN_DIR --resume
# The exit code is that of the command, or 75 (start again with --resume) if it had to be ended or
# is 128 or more: it, or a rank of it, was killed. SIGUSR1, SIGTERM, SIGHUP and Ctrl-C ask the run to
# save and stop; the second Ctrl-C ends it.
#   KANTOR_GRACE_S   what the command may take to end once its run is over (default: 30)
set -u

if [ $# -lt 2 ]; then
  echo "usage: supervise.sh RUN_DIR COMMAND [WORD...]" >&2
  exit 2
fi
out=$1
shift
grace_s=${KANTOR_GRACE_S:-30}
case $grace_s in
  *[!0-9]*) echo "supervise.sh: KANTOR_GRACE_S is $grace_s, expected whole seconds" >&2; exit 2 ;;
esac
grace_s=$((10#$grace_s))
notes=$(mktemp) || exit 74   # "ended", and the shared memory of the ranks, a path a line
trap 'rm -f "$notes"' EXIT

say() { echo "supervise.sh: $*" >&2; }
status_stamp() { stat -c '%i %y' -- "$out/STATUS" 2>/dev/null; }
status_state() { sed -n 's/.*"state": *"\([^"]*\)".*/\1/p' -- "$out/STATUS" 2>/dev/null; }

ranks() {  # of this host, also those whose mpirun is gone: pid by pid
  grep -lzs "^KANTOR_SUPERVISOR=$$\$" /proc/[0-9]*/environ |
    xargs -r grep -lzs '^\(OMPI_COMM_WORLD_RANK\|PMIX_RANK\|PMI_RANK\)=' | tr -dc '0-9\n'
}

end_run() {  # its process group: mpirun ends the ranks of all hosts that it reaches
  kill -TERM -- "-$run" 2>/dev/null
  for _ in {1..50}; do
    kill -0 -- "-$run" 2>/dev/null || return
    sleep 0.2
  done
  kill -KILL -- "-$run" 2>/dev/null
}

# Ends the command once its run has been over for too long.
watch() {
  trap '' HUP TERM INT USR1
  local found reason left_s=$grace_s had_ranks=0 tick=0
  while sleep 1 >/dev/null 2>&1; do
    kill -0 -- "-$run" 2>/dev/null || return  # it has ended, and this script was killed before it
    found=$(ranks)
    reason=
    if [ -n "$found" ]; then
      had_ranks=1
      # Mapped as MPI starts; what the ranks of a killed mpirun leave stays in the host's memory:
      # shared memory, and the folder of mpirun. A data file in /dev/shm is mapped, too, but private.
      [ $((tick++)) -lt 20 ] || [ $((tick % 60)) -eq 0 ] && for pid in $found; do
        sed -n -e 's|^[^ ]* rw-s .* \(/dev/shm/[^ ]*\)$|\1|p' \
          -e 's|^[^ ]* [^ ]*s .* \(/[^ ]*/ompi\.[^ /]*/pid\.[0-9]*\).*|\1|p' "/proc/$pid/maps" 2>/dev/null
      done >> "$notes"
    elif [ "$had_ranks" -eq 1 ]; then
      reason="its ranks of this host are gone"
    fi
    if [ "$(status_stamp)" != "$stamp" ]; then  # else it is of an earlier run
      case $(status_state) in
        '' | running) ;;
        *) reason="the run says \"$(status_state)\"" ;;
      esac
    fi
    [ -n "$reason" ] || { left_s=$grace_s; continue; }
    [ $((left_s--)) -gt 0 ] && continue
    say "$reason, but ${1##*/} (pid $run) has not ended within $grace_s s: ending it"
    echo ended >> "$notes"
    end_run
    return
  done
}

# shellcheck disable=SC2317  # called by traps
ask() {
  interrupted=1
  num_asked=$((num_asked + 1))
  if [ "$num_asked" -eq 1 ]; then
    say "asking the run to save and stop"
    [ -z "$run" ] || kill -USR1 "$run"
  elif [ "$1" = INT ]; then
    end_run
  fi
}

run=
num_asked=0
for name in USR1 TERM HUP INT; do
  # shellcheck disable=SC2064  # the name of now
  trap "ask $name" "$name"
done
stamp=$(status_stamp)
[ -t 0 ] && exec </dev/null
[ "$num_asked" -eq 0 ] || exit 75  # nothing is to be saved yet
set -m  # a process group of its own: mpirun would kill its ranks two seconds after a Ctrl-C
KANTOR_SUPERVISOR=$$ "$@" &
run=$!
set +m
watch "$1" &
watcher=$!
disown "$watcher"  # nobody needs to hear of its end

interrupted=1
while [ "$interrupted" -eq 1 ]; do
  interrupted=0
  wait "$run"
  code=$?
done
trap '' USR1 TERM HUP INT
kill -KILL "$watcher" 2>/dev/null
if [ "$code" -ge 128 ] || grep -qx ended "$notes"; then code=75; fi

# Ranks whose mpirun is gone end by themselves, or else they would keep the run's lock.
for _ in {1..50}; do
  left=$(ranks)
  [ -n "$left" ] || break
  sleep 0.2
done
# shellcheck disable=SC2086
[ -z "$left" ] || kill -KILL $left 2>/dev/null
grep '^/' "$notes" | sort -u | while read -r path; do
  [ -e "$path" ] && ! grep -qsF "$path" /proc/[0-9]*/maps && rm -rf -- "$path" &&
    say "removed $path, left behind by the run"
done
exit "$code"
