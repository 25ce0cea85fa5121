#!/usr/bin/env bash
# record.sh KANTOR NAME SOLVER [SETTING..]: a run that this program has stopped and finished, as
# later programs meet it. Writes NAME/{stopped,finished,eval} beside this script.
set -euo pipefail
kantor=$(realpath "$1") name=$2 solver=$3
shift 3
here=$(cd "$(dirname "$0")" && pwd)
export KANTOR_INSTRUCTION_SET=portable MKL_CBWR=COMPATIBLE
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
cd "$place"
cat > problem.toml <<TOML
[problem]
epsilon = { relative = "mean", scale = 0.05 }
[[problem.marginals]]
generator = { name = "gaussian_mixture", n = 61, d = 3, seed = 1 }
[[problem.marginals]]
generator = { name = "gaussian", n = 50, d = 3, seed = 2 }
[solver]
name = "$solver"
[solver.neural]
steps = 60
batch = 24
warmup_steps = 5
log_every = 10
network = { width = [8] }
[solver.sinkhorn]
tolerance = 1e-6
storage = "materialised"
$(printf '%s\n' "$@")
[run]
checkpoint = { every_steps = 1, keep = 2 }
threads = 1
TOML

"$kantor" run problem.toml --out run --quiet & run=$!
until compgen -G 'run/checkpoints/step-000000[2-9]*.kantor' > /dev/null; do
  kill -0 "$run"
done
touch run/STOP
wait "$run" && exit 1  # it was too quick
rm run/STOP run/LOCK*

# What tells of the machine: nothing reads it.
anonymous() {
  rm -f "$1"/LOCK* "$1/environment.json" "$1/log.txt"
  sed -i -E 's/("host": *)"[^"]*"/\1"host"/; s/("pid": *)[0-9]+/\11/' "$1/STATUS"
}
cp -r run stopped
anonymous stopped
"$kantor" run run/problem.toml --out run --resume --quiet
"$kantor" eval run --points "$here/points.npy" --out eval > /dev/null
anonymous run
mkdir "$here/$name"
cp -r stopped eval "$here/$name"
cp -r run "$here/$name/finished"
rm -r "$here/$name/finished/checkpoints" "$here/$name/finished/metrics.jsonl"
