#!/usr/bin/env bash
# Bootstraps, builds and runs every test; the last line is "N passed, M failed".
#   launch/test.sh            all
#   launch/test.sh -R NAME    the ctest programs whose name matches (other ctest options work alike)
#   launch/test.sh --every-instruction-set
#                             first, with avx2 forced, those whose numbers hang on the instruction set (label numbers),
#                             and with portable the kernels and a few solvers (label portable); then all
# Exits non-zero if a test failed, or (running all) if none ran on more than one rank.
set -euo pipefail

every_set=no
if [ "${1:-}" = --every-instruction-set ]; then
  every_set=yes
  shift
fi
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
run_tests() {
  run_ctest ctest-single --label-exclude 'mpi|launch' --parallel "$(nproc)" "$@"
  run_ctest ctest-ranks --label-regex 'mpi|launch' "$@"
}

run_with() {  # SET LABEL: those of a label, with a set that the processor may lack; their results go into a folder of the set
  local set=$1 label=$2
  shift 2
  KANTOR_INSTRUCTION_SET=$set "$build/tests/runtime/core/core_test" --gtest_list_tests >/dev/null || {
    echo "instruction set $set: not here, its tests are left out"
    return 0
  }
  echo "instruction set $set: tests of label $label"
  KANTOR_INSTRUCTION_SET=$set run_tests --label-regex "$label" "$@"
  mkdir -- "$results/$set"
  find "$results" -maxdepth 1 -type f -exec mv -t "$results/$set" {} +
}

folders=("$results")
if [ "$every_set" = yes ]; then
  run_with portable portable "$@"
  run_with avx2 numbers "$@"
  for set in "$results"/*/; do
    [ -d "$set" ] && folders+=("$set")
  done
fi
run_tests "$@"

need_ranks=--need-ranks
[ $# -eq 0 ] || need_ranks=
exec python3 "$root/launch/count_tests.py" $need_ranks "${folders[@]}"
