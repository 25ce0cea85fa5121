#!/usr/bin/env bash
# spills_test.sh NVCC SPILLING_KERNEL OPTION ...: the options under which our kernels are compiled refuse
# a kernel that spills registers, for each architecture.
set -euo pipefail

nvcc=$1 kernel=$2
shift 2
options=("$@")
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
for architecture in 80 90 100; do
  compile=("$nvcc" -c "$kernel" -o "$out/kernel.o" "-gencode=arch=compute_$architecture,code=sm_$architecture")
  "${compile[@]}" >"$out/log" 2>&1 || { cat "$out/log"; echo "sm_$architecture: does not compile at all"; exit 1; }
  if "${compile[@]}" "${options[@]}" >"$out/log" 2>&1; then
    echo "sm_$architecture: a kernel that spills was accepted"
    exit 1
  fi
  grep -q 'Registers are spilled to local memory' "$out/log" ||
    { cat "$out/log"; echo "sm_$architecture: refused for another reason"; exit 1; }
done
