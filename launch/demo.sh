#!/usr/bin/env bash
# Bootstraps, builds, then shows kantor at work on two processes, in under two minutes:
#   1. neural entropic OT between two classes of Fashion-MNIST images,
#   2. the same between two Gaussians, where the answer is known in closed form,
#   3. the images again by Sinkhorn, the reference solver on the same problem file,
# and ends with a table. The runs stay in runs/demo-<time>.
set -euo pipefail

root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)
"$root/launch/build.sh"
. "$root/launch/environment.sh"

started=$(date +%s)
out=$root/runs/demo-$(date +%Y%m%d-%H%M%S)
while [ -e "$out" ]; do out=$out-again; done

solve() {  # NAME PROBLEM [--set ...]
  local name=$1 problem=$2 status=0
  shift 2
  printf '\n== %s: mpirun -np 2 build/release/kantor run experiments/%s %s\n' "$name" "$problem" "$*"
  mpirun -np 2 "$root/build/release/kantor" run "$root/experiments/$problem" \
    --out "$out/$name" "$@" </dev/null || status=$?
  # 4: the results are there, but short of the tolerance; the table shows by how much.
  [ "$status" -eq 0 ] || [ "$status" -eq 4 ] || exit "$status"
}

solve images-neural fashion_mnist/problem.toml --set solver.neural.steps=600
solve gaussian-neural gaussian/problem.toml --set solver.neural.steps=400 \
  --set problem.marginals.0.generator.n=10000 --set problem.marginals.0.generator.exact_moments=true \
  --set problem.marginals.1.generator.n=10000 --set problem.marginals.1.generator.exact_moments=true
solve images-sinkhorn fashion_mnist/problem.toml --set solver.name=sinkhorn

printf '\n'
python3 "$root/launch/table.py" "$out/images-neural" "$out/gaussian-neural" "$out/images-sinkhorn"
printf '\n%s s after the build. Next: README.md, "Your own problem".\n' "$(($(date +%s) - started))"
