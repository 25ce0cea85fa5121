#!/usr/bin/env bash
# Builds build/release/kantor, from any directory; installs what is missing first (bootstrap.sh).
#   launch/build.sh          the program
#   launch/build.sh --all    the tests and benchmarks too
set -euo pipefail

case "${*:-}" in
  "") target=kantor benchmarks=() ;;
  --all) target=all benchmarks=(-DKANTOR_BENCHMARKS=ON) ;;
  *)
    printf 'usage: launch/build.sh [--all]\n' >&2
    exit 2
    ;;
esac

root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)

# One compiler that reads the torch header takes up to 3 GB: fewer jobs than cores on small machines.
num_jobs() {
  local cores memory_kb limit jobs
  cores=$(nproc)
  memory_kb=$(awk '/^MemAvailable:/ { print $2 }' /proc/meminfo)
  if [ -r /sys/fs/cgroup/memory.max ]; then
    limit=$(cat /sys/fs/cgroup/memory.max)
    if [ "$limit" != max ] && [ $((limit / 1024)) -lt "$memory_kb" ]; then memory_kb=$((limit / 1024)); fi
  fi
  jobs=$((memory_kb / (3 * 1024 * 1024)))
  if [ "$jobs" -gt "$cores" ]; then jobs=$cores; fi
  if [ "$jobs" -lt 1 ]; then jobs=1; fi
  echo "$jobs"
}

"$root/launch/bootstrap.sh"
cd -- "$root"
cmake --preset release -DKANTOR_TORCH="$("$root/launch/bootstrap.sh" --print)" ${benchmarks[@]+"${benchmarks[@]}"} </dev/null
cmake --build build/release --target "$target" --parallel "$(num_jobs)" </dev/null
echo "built $root/build/release/kantor"
