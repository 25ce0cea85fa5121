#!/usr/bin/env bash
# Builds, runs the study on two ranks, prints a table; exits non-zero on a missed figure. Options: run_study.py.
set -euo pipefail
exec python3 "$(dirname -- "${BASH_SOURCE[0]}")/../run_study.py" egw_cube "$@"
