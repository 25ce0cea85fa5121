#!/usr/bin/env bash
# Builds, runs both solvers on two ranks, and compares with expected.json.
#   experiments/gaussian/run.sh [OUT_DIR]
set -euo pipefail
exec "$(dirname -- "${BASH_SOURCE[0]}")/../run_study.sh" gaussian "$@"
