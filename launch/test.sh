#!/usr/bin/env bash
# Bootstraps, builds and runs every test; the last line is "N passed, M failed".
#   launch/test.sh            all
#   launch/test.sh -R NAME    the ctest programs whose name matches (other ctest options work alike)
# Exits non-zero if a test failed, or (running all) if none ran on more than one rank.
set -euo pipefail

root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)
"$root/launch/build.sh" --all
. "$root/launch/environment.sh"

build=$root/build/release
results=$build/test-results
rm -rf -- "$results"   # results of a former run must not count
mkdir -p -- "$results"

run_ctest() {  # the verdict is taken from the result files, so a failure goes on to the count
  local name=$1
  shift
  ctest --test-dir "$build" --output-on-failure --output-junit "$results/$name.xml" "$@" </dev/null || true
}
# Programs that launch ranks of their own are run one at a time: they want the cores for themselves.
run_ctest ctest-single --label-exclude 'mpi|launch' --parallel "$(nproc)" "$@"
run_ctest ctest-ranks --label-regex 'mpi|launch' "$@"

need_ranks=--need-ranks
[ $# -eq 0 ] || need_ranks=
exec python3 "$root/launch/count_tests.py" $need_ranks "$results"
