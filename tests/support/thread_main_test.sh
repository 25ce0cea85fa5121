#!/usr/bin/env bash
# Checks what the main of tests on threads makes of failing and aborting ranks.
#   thread_main_test.sh PROBE
set -uo pipefail

readonly probe=$1
failures=0
output=$(mktemp)
trap 'rm -f "$output"' EXIT

# expect NAME EXIT_CODE TEXT ARGUMENT...
expect() {
  local name=$1 wanted=$2 text=$3 code
  shift 3
  timeout 60 "$probe" "$@" >"$output" 2>&1
  code=$?
  if [ "$code" -eq "$wanted" ] && grep -qF -- "$text" "$output"; then
    echo "ok: $name"
  else
    echo "FAILED: $name: exit code $code (expected $wanted), expected text '$text' in:"
    cat "$output"
    failures=$((failures + 1))
  fi
}

expect 'passing' 0 '2 ranks tested: passed' --ranks=2 --gtest_filter=Probe.passes
expect 'failure on rank 1' 1 'on rank 1' --ranks=2 --gtest_filter=Probe.fails_on_rank_1
expect 'the test after a failure' 1 '1 FAILED TEST' --ranks=2 \
  --gtest_filter=Probe.passes:Probe.fails_on_rank_1 --gtest_repeat=2
expect 'no rank 1' 0 '1 ranks tested: passed' --ranks=1 --gtest_filter=Probe.fails_on_rank_1
expect 'exception on rank 1' 1 'as it should' --ranks=2 --gtest_filter=Probe.throws_on_rank_1
expect 'abort on rank 1' 42 'Probe.aborts_on_rank_1' --ranks=3 \
  --gtest_filter=Probe.aborts_on_rank_1
expect 'no test' 1 'no test was selected' --ranks=2 --gtest_filter=Probe.absent
for wrong in --ranks=0 --ranks=x --rank=2; do
  expect "argument $wrong" 1 'expected --ranks=N' "$wrong"
done
expect 'no number of ranks' 1 'expected --ranks=N'
exit $((failures > 0))
