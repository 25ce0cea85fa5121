#!/usr/bin/env bash
# launch/gpu_check.sh where there is no GPU (one that is there is hidden): every mode that needs one
# says so and returns 78, before it runs anything; unknown modes return 2.
set -u
script=$1
export CUDA_VISIBLE_DEVICES=
failures=0

expect() {  # EXIT_CODE WORDS MODE
  local status=0 text
  text=$("$script" ${3:+"$3"} 2>&1) || status=$?
  if [ "$status" -ne "$1" ] || ! grep -q "$2" <<<"$text"; then
    printf 'FAILED: "%s" returned %s and said:\n%s\n' "$3" "$status" "$text"
    failures=1
  fi
  if [ "$1" -eq 78 ] && grep -q 'kernels against' <<<"$text"; then
    printf 'FAILED: %s went on without a GPU\n' "$3"
    failures=1
  fi
}

expect 2 'gpu_check.sh pack' ''
expect 2 'gpu_check.sh pack' nonsense
for mode in quick one several; do expect 78 'needs a GPU.*: no GPU is seen' "$mode"; done
exit "$failures"
