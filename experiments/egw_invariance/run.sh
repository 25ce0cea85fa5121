#!/usr/bin/env bash
# Turns the images, builds, runs the study on two ranks, prints a table; exits non-zero on a missed figure. Options:
# run_study.py; `--recipe classes.json`: distances between classes. Needs numpy, which launch/bootstrap.sh gives to
# Debian's Python.
set -euo pipefail
here="$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)"
cd "$here/../.."  # the recipe's paths
/usr/bin/python3 "$here/turn.py" /usr/share/datasets/fashion-mnist/train-images-idx3-ubyte.gz runs/egw_invariance
exec /usr/bin/python3 "$here/../run_study.py" egw_invariance "$@"
