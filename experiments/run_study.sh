#!/usr/bin/env bash
# Runs one study with both solvers on two ranks and compares with its expected.json.
#   experiments/run_study.sh STUDY [OUT_DIR]     (default: runs/STUDY-<time>)
# The run.sh of each study calls it. Exits non-zero if a figure is outside its tolerance.
set -euo pipefail

root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)
study=${1:?usage: experiments/run_study.sh STUDY [OUT_DIR]}
folder=$root/experiments/$study
out=${2:-$root/runs/$study-$(date +%Y%m%d-%H%M%S)}

"$root/launch/build.sh"
. "$root/launch/environment.sh"

for solver in neural sinkhorn; do
  status=0
  mpirun -np 2 "$root/build/release/kantor" run "$folder/problem.toml" \
    --set "solver.name=$solver" --out "$out/$solver" </dev/null || status=$?
  [ "$status" -eq 0 ] || [ "$status" -eq 4 ] || exit "$status"   # 4: not converged; the check below tells
done
python3 "$root/experiments/check_study.py" "$folder/expected.json" "$out"
