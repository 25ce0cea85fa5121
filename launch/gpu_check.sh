#!/usr/bin/env bash
# The first hour of kantor on a GPU: are the kernels right, how fast are they, does a run use them.
#   launch/gpu_check.sh pack     anywhere: builds, and gathers what a machine without network and
#                                compiler needs in build/gpu_check (this script among it)
#   launch/gpu_check.sh quick    kernels on the card: values, bits, speed (minutes)
#   launch/gpu_check.sh one      the same, then sanitizers, a profile, and runs on one GPU
#   launch/gpu_check.sh several  runs under mpirun on all GPUs of the machine
# The runs and a log are left in runs/gpu_check-MODE-TIME. FAIL marks a fault (exit code 70 at the end),
# LOOK what a person should judge. 78: no GPU, or no program.
set -uo pipefail

mode=${1:-}
case $mode in
  pack | quick | one | several) ;;
  *) sed -n '2,9s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
esac
root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)
cd -- "$root" || exit 74
build=$root/build/release
card=$build/card_check
kantor=$build/kantor
problem=$root/experiments/gaussian/problem.toml

refuse() { printf 'gpu_check: error: %s\n' "$*" >&2; exit 78; }
step() { printf '\n== %s\n' "$*"; }
fail() { printf 'FAIL %s\n' "$*"; }

try() {  # SECONDS COMMAND...
  local status=0 limit=$1
  shift
  timeout "$limit" "$@" </dev/null || status=$?
  [ "$status" -eq 0 ] || fail "exit code $status: $*"
  return "$status"
}

pack() {
  local pack=$root/build/gpu_check wheels library
  launch/build.sh || exit
  cmake --build "$root/build/release" --target card_check || exit
  wheels=$(launch/bootstrap.sh --print)/../nvidia
  rm -rf "$pack"
  mkdir -p "$pack/build/release" "$pack/launch" "$pack/lib/openmpi3" "$pack/experiments/gaussian"
  cp "$card" "$kantor" "$build/libkantor_cuda.so" "$pack/build/release/"
  cp launch/gpu_check.sh launch/environment.sh "$pack/launch/"
  cp "$problem" "$pack/experiments/gaussian/"
  cp -L "$wheels/cu13/lib/libcudart.so.13" "$pack/lib/"
  # What a bare machine lacks; not the C and C++ runtimes, nor LibTorch, which brings NCCL.
  for library in $(ldd "$kantor" | awk '/=> \/(lib|usr\/lib)/ { print $3 }'); do
    case ${library##*/} in
      ld-linux* | libc.so* | libm.so* | libpthread.so* | librt.so* | libdl.so* | libgcc_s.so* | libstdc++.so*) ;;
      *) cp -L "$library" "$pack/lib/" ;;
    esac
  done
  cp -L "$(ompi_info --parsable --path pkglibdir | cut -d: -f3)"/*.so "$pack/lib/openmpi3/" || exit
  du -sh "$pack"
  printf 'Carry it over, with LibTorch %s in a Python there, and call launch/gpu_check.sh one in it.\n' \
    "$(basename -- "$wheels"/../torch-*.dist-info .dist-info)"
}

# In a pack, libraries come from it and from the machine's own LibTorch.
find_libraries() {
  local site
  [ -d "$root/lib" ] || return 0
  export OMPI_MCA_mca_base_component_path=$root/lib/openmpi3
  export LD_LIBRARY_PATH=$root/lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
  site=$(python3 -c 'import os, torch; print(os.path.dirname(os.path.dirname(torch.__file__)))' 2>/dev/null) || {
    printf 'LOOK no LibTorch in python3: runs of kantor will fail\n'
    return 0
  }
  LD_LIBRARY_PATH=$LD_LIBRARY_PATH:$site/torch/lib:$(printf '%s:' "$site"/nvidia/*/lib)
}

machine() {
  step "the machine: GPUs, driver 580 or later, clocks, and who else uses them"
  "$card" cards
  if command -v nvidia-smi >/dev/null; then
    nvidia-smi --query-gpu=index,name,driver_version,memory.used,clocks.sm,clocks.max.sm,power.limit,ecc.mode.current --format=csv
  fi
  env | grep -E '^(NCCL|CUDA|TORCH|NVIDIA)_' | sort || true
}

kernels() {
  step "kernels against naive ones in double"
  try 300 "$card" values
  step "two runs, and kept sums, give the same bits"
  try 120 "$card" bits
}

speed() {
  step "milliseconds beside the card's floor: LOOK at what is above twice of it"
  try 300 "$card" speed 4e9
}

sanitizers() {
  local tool status
  step "compute-sanitizer on all kernels"
  command -v compute-sanitizer >/dev/null || { printf 'LOOK not installed\n'; return; }
  for tool in memcheck racecheck synccheck initcheck; do
    status=0
    timeout 300 compute-sanitizer --tool "$tool" --error-exitcode 3 "$card" values short >"$out/$tool.txt" 2>&1 || status=$?
    tail -n 1 "$out/$tool.txt"
    [ "$status" -eq 0 ] || fail "$tool: exit code $status, see $out/$tool.txt"
  done
}

profile() {
  local words
  step "a profile: LOOK which unit is busiest, and whether it is the one that bounds the kernel"
  command -v ncu >/dev/null || { printf 'LOOK ncu is not installed\n'; return; }
  for words in "2" "64" "64 kept"; do
    # shellcheck disable=SC2086  # words of the command
    timeout 200 ncu --clock-control none --launch-skip 4 --launch-count 6 --section SpeedOfLight \
      --section Occupancy --section WarpStateStats "$card" call $words >"$out/profile-${words// /-}.txt" 2>&1
    grep -E 'run_body|Throughput|Duration|Achieved Occupancy' "$out/profile-${words// /-}.txt" | head -n 30
  done
}

# NAME SECONDS LAUNCHER... -- ARGUMENTS...: a run into $out/NAME; 4 (short of the tolerance) is no fault.
run() {
  local name=$1 limit=$2 status=0
  local launcher=()
  shift 2
  while [ "$1" != -- ]; do launcher+=("$1"); shift; done
  shift
  timeout "$limit" "${launcher[@]}" "$kantor" run "$problem" --out "$out/$name" --quiet \
    --set run.device=cuda "$@" </dev/null || status=$?
  [ "$status" -eq 0 ] || [ "$status" -eq 4 ] || { fail "$name: exit code $status"; return 1; }
  if grep -s 'are not used' "$out/$name/log.txt"; then fail "$name: the kernels were refused"; fi
  show "$name"
}

# The numbers of a run that are compared by eye, on one line.
show() {
  python3 - "$out/$1/result.json" "$1" <<'PY'
import json, sys
result = json.load(open(sys.argv[1]))
keys = ("objective", "dual_value", "iterations", "samples_per_second")
words = [f"{key} {result[key]:.10g}" for key in keys if result.get(key) is not None]
if "storage" in result:
    words.append(f"seconds_per_iteration {result['storage'].get('seconds_per_iteration', 0):.3g}")
print(f"{sys.argv[2]}: " + ", ".join(words))
PY
}

# NAME NAME TOLERANCE: their objectives agree, relative.
agree() {
  python3 - "$out/$1/result.json" "$out/$2/result.json" "$3" <<'PY' || fail "$1 and $2 differ"
import json, sys
a, b = (json.load(open(name))["objective"] for name in sys.argv[1:3])
print(f"relative difference {abs(a - b) / abs(a):.1e}, at most {sys.argv[3]}")
sys.exit(not abs(a - b) <= float(sys.argv[3]) * abs(a))
PY
}

sinkhorn=(--set solver.name=sinkhorn --set problem.epsilon=0.05)
small=(--set problem.marginals.0.generator.n=4000 --set problem.marginals.1.generator.n=4000)

one() {
  local name pid status=0
  step "kantor doctor: no FAIL, and the kernels agree with LibTorch's operations"
  try 300 "$kantor" doctor | tee "$out/doctor.txt"
  grep -q '^ok    GPU kernels' "$out/doctor.txt" || fail "doctor: the kernels are not in order"
  step "Sinkhorn on the GPU and on the CPU: the same objective"
  for name in float32 float64; do
    run "gpu-$name" 300 -- "${sinkhorn[@]}" "${small[@]}" --set run.precision="$name" || continue
    run "cpu-$name" 300 -- "${sinkhorn[@]}" "${small[@]}" --set run.precision="$name" --set run.device=cpu || continue
    agree "gpu-$name" "cpu-$name" "$([ "$name" = float32 ] && echo 1e-5 || echo 1e-9)"
  done
  step "costs kept or made anew: the same objective, 20,000 x 20,000 points"
  for name in streamed materialised; do
    run "$name" 300 -- "${sinkhorn[@]}" --set solver.sinkhorn.storage="$name"
  done
  agree streamed materialised 1e-9
  step "every cost, ProgOT, and training"
  for name in half_sqeuclidean euclidean dot; do
    run "cost-$name" 200 -- "${sinkhorn[@]}" "${small[@]}" --set problem.cost="$name"
  done
  run progot 300 -- "${small[@]}" --set solver.name=progot
  for name in auto nccl; do run "neural-$name" 300 -- --set run.backend="$name"; done
  printf 'LOOK samples_per_second of neural-nccl: one rank pays for its collectives\n'
  step "stopped by USR1 it returns 75, and goes on"
  "$kantor" run "$problem" --out "$out/stopped" --quiet --set run.device=cuda --set solver.neural.steps=100000 </dev/null &
  pid=$!
  for _ in $(seq 600); do [ -s "$out/stopped/metrics.jsonl" ] && break; sleep .1; done
  kill -USR1 "$pid"
  wait "$pid" || status=$?
  [ "$status" -eq 75 ] || fail "stopped: exit code $status, 75 expected"
  status=0
  timeout 60 "$kantor" run "$problem" --out "$out/stopped" --resume --quiet --set run.device=cuda \
    --set solver.neural.steps=100000 --set run.max_wall_s=20 </dev/null || status=$?
  [ "$status" -eq 75 ] || fail "stopped by its time: exit code $status, 75 expected"
  step "the intermediate code of the kernels, as a card to come would compile it"
  CUDA_FORCE_PTX_JIT=1 try 300 "$card" values short
}

several() {
  local num ranks backend launcher
  command -v mpirun >/dev/null || refuse "several needs mpirun (Open MPI 4)"
  # shellcheck source=/dev/null
  . "$root/launch/environment.sh"
  num=$("$card" cards | grep -c '^GPU')
  [ "$num" -ge 2 ] || refuse "several needs two GPUs or more, $num is seen; one is for one"
  launcher=(mpirun -np "$num")
  step "kantor doctor on $num ranks"
  try 300 "${launcher[@]}" "$kantor" doctor
  step "each rank works on its own GPU: LOOK for a process on two"
  for backend in mpi nccl; do
    run "place-$backend" 300 "${launcher[@]}" -- --set run.backend="$backend" &
    sleep 20
    command -v nvidia-smi >/dev/null && nvidia-smi --query-compute-apps=gpu_uuid,pid,used_memory --format=csv
    wait $!
    if grep -s 'share the GPU' "$out/place-$backend/log.txt"; then fail "place-$backend: ranks share a GPU"; fi
  done
  step "Sinkhorn, 60,000 x 60,000 points, on 1 GPU and more: the same objective, seconds_per_iteration falls"
  for ((ranks = 1; ranks <= num; ranks *= 2)); do
    run "sinkhorn-$ranks" 300 mpirun -np "$ranks" -- "${sinkhorn[@]}" --set run.backend=nccl \
      --set problem.marginals.0.generator.n=60000 --set problem.marginals.1.generator.n=60000
    [ "$ranks" -eq 1 ] || agree sinkhorn-1 "sinkhorn-$ranks" 1e-6
  done
  step "training with a batch that grows with the ranks: LOOK at samples_per_second"
  for ranks in 1 "$num"; do
    run "neural-$ranks" 300 mpirun -np "$ranks" -- --set run.backend=nccl --set solver.neural.batch=$((512 * ranks))
  done
  step "two runs of $num ranks give the same bits"
  for ranks in a b; do
    run "same-$ranks" 300 "${launcher[@]}" -- --set run.backend=nccl --set run.deterministic=true --set solver.neural.steps=300
  done
  cmp "$out/same-a/potentials/0.npy" "$out/same-b/potentials/0.npy" || fail "they do not"
  step "two ranks on one GPU are refused by name"
  CUDA_VISIBLE_DEVICES=0 timeout 120 mpirun -np 2 "$kantor" run "$problem" --out "$out/shared" \
    --set run.device=cuda --set run.backend=nccl </dev/null 2>&1 | grep 'would share GPU' || fail "they are not"
}

if [ "$mode" = pack ]; then pack; exit; fi
[ -x "$card" ] || refuse "no $card: launch/gpu_check.sh pack builds it"
find_libraries
seen=$("$card" cards) || refuse "$mode needs a GPU, with an NVIDIA driver 580 or later (pack needs none): $seen"
out=$root/runs/gpu_check-$mode-$(date +%Y%m%d-%H%M%S)
mkdir -p "$out" || exit 74
{
  machine
  case $mode in
    quick) kernels; speed ;;
    one) kernels; speed; sanitizers; profile; one ;;
    several) several ;;
  esac
  true
} 2>&1 | tee "$out/log.txt"
status=${PIPESTATUS[0]}
[ "$status" -eq 0 ] || exit "$status"
faults=$(grep -c '^FAIL' "$out/log.txt")
printf '\n%s FAIL, %s LOOK; all of it in %s\n' "$faults" "$(grep -c '^LOOK' "$out/log.txt")" "$out"
[ "$faults" -eq 0 ] || exit 70
