#!/usr/bin/env bash
# Makes the clouds, builds, runs the study on two ranks, prints tables; exits non-zero on a missed figure. Options:
# run_study.py. Needs numpy, which launch/bootstrap.sh gives to Debian's Python.
set -euo pipefail
here="$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)"
cd "$here/../.."  # the recipe's paths
/usr/bin/python3 "$here/clouds.py" runs/egw_alignment
exec /usr/bin/python3 "$here/../run_study.py" egw_alignment "$@"
