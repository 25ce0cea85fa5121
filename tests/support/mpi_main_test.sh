#!/usr/bin/env bash
# Checks what the main of MPI tests makes of failing, stalling and aborting ranks.
#   mpi_main_test.sh MPIEXEC PROBE
set -uo pipefail

readonly mpiexec=$1 probe=$2
failures=0
output=$(mktemp)
results=$(mktemp)
trap 'rm -f "$output" "$results"' EXIT

# expect NAME EXIT_CODE TEXT ARGUMENT...: runs the probe on two ranks.
expect() {
  local name=$1 wanted=$2 text=$3 code
  shift 3
  timeout 60 "$mpiexec" -np 2 "$probe" "$@" >"$output" 2>&1
  code=$?
  if [ "$code" -eq "$wanted" ] && grep -qF -- "$text" "$output"; then
    echo "ok: $name"
  else
    echo "FAILED: $name: exit code $code (expected $wanted), expected text '$text' in:"
    cat "$output"
    failures=$((failures + 1))
  fi
}

expect 'passing' 0 '2 ranks tested: passed' --expect-ranks=2 --gtest_filter=Probe.passes
expect 'failure on rank 1' 1 '[rank 1]' --gtest_filter=Probe.passes:Probe.fails_on_rank_1 \
  "--results=$results"
if ! grep -q '"failures": 1' "$results"; then
  echo 'FAILED: the failure of rank 1 is missing in the results'
  failures=$((failures + 1))
fi
expect 'exception on rank 1' 1 'as it should' --gtest_filter=Probe.throws_on_rank_1
expect 'too few ranks' 1 '2 ranks came, --expect-ranks=3' --expect-ranks=3
expect 'no test' 1 'no test was selected' --gtest_filter=Probe.absent
expect 'abort on rank 1' 42 'Probe.aborts_on_rank_1' --gtest_filter=Probe.aborts_on_rank_1
expect 'stalling' 124 'deadline' --gtest_filter=Probe.stalls --deadline=2
expect 'broken communicator' 0 '2 ranks tested: passed' --gtest_filter=Probe.loses_its_communicator
exit $((failures > 0))
