#!/usr/bin/env bash
# Installs what kantor needs on Debian or Ubuntu, once per machine: compilers and libraries by apt,
# LibTorch (the torch wheel) into a private virtual environment shared by all checkouts.
# Idempotent: says what it does, does nothing when all is there.
#
#   launch/bootstrap.sh            packages and the CPU-capable set of wheels (or all, if a GPU is seen)
#   launch/bootstrap.sh --gpu      the full wheel set, for a machine that will run on a GPU
#   launch/bootstrap.sh --style    clang-format-14 and clang-tidy-14 too, for .ci/run
#   launch/bootstrap.sh --pytorch  PyTorch for Python too, of the same version, with numpy and everything that
#                                  importing it needs (4.7 GB): what experiments/bench measures against
#   launch/bootstrap.sh --numpy    numpy for Python too, in an environment of its own: for scripts that prepare data
#   launch/bootstrap.sh --print    print the LibTorch folder and leave (installs nothing)
#
# KANTOR_CACHE (default ~/.cache/kantor) is where the virtual environments live.
set -euo pipefail

readonly torch_version=2.11.0
readonly numpy_version=2.2.6
readonly cuda_wheels=(nvidia-cuda-runtime==13.0.96 nvidia-cuda-cupti==13.0.85
  nvidia-nccl-cu13==2.28.9 nvidia-cuda-nvcc==13.0.88 nvidia-nvvm==13.0.88 nvidia-cuda-crt==13.0.88
  nvidia-cuda-cccl==13.0.85)  # the last: headers that nccl.h asks for
packages=(g++ make cmake ninja-build ccache git python3 python3-venv python3-numpy
  openmpi-bin libopenmpi-dev libboost-serialization-dev zlib1g-dev
  libgtest-dev libgmock-dev libbenchmark-dev libcli11-dev libtomlplusplus-dev libspdlog-dev libfmt-dev
  nlohmann-json3-dev libxsimd-dev libxxhash-dev dataset-fashion-mnist)

say() { printf 'bootstrap: %s\n' "$*"; }
fail() {
  printf 'bootstrap: error: %s\n' "$*" >&2
  exit 78
}

cache=${KANTOR_CACHE:-${XDG_CACHE_HOME:-${HOME:-/tmp}/.cache}/kantor}
venv=$cache/torch-$torch_version
torch_dir() { echo "$venv"/lib/python3*/site-packages/torch; }
# Names the set of wheels, so that a cache made for another list is completed.
wheels=$(printf '%s\n' "${cuda_wheels[@]}" | cksum | cut -d' ' -f1)
readonly cpu_marker=$venv/.complete-$wheels gpu_marker=$venv/.complete-gpu-$wheels

want_gpu=auto
want_pytorch=no
want_numpy=no
case "${1:-}" in
  "") ;;
  --gpu) want_gpu=yes ;;
  --pytorch) want_pytorch=yes ;;
  --numpy) want_numpy=yes ;;
  --style) packages+=(clang-format-14 clang-tidy-14) ;;
  --print)
    [ -e "$cpu_marker" ] || exit 1
    torch_dir
    exit 0
    ;;
  *)
    printf 'usage: launch/bootstrap.sh [--gpu | --style | --pytorch | --numpy | --print]\n' >&2
    exit 2
    ;;
esac
if [ "$want_gpu" = auto ]; then
  if [ -e /dev/nvidiactl ] || [ -e /dev/nvidia0 ]; then want_gpu=yes; else want_gpu=no; fi
fi

missing_packages() {
  local package
  for package in "$@"; do
    dpkg-query -W -f='${db:Status-Status}\n' "$package" 2>/dev/null | grep -qx installed ||
      printf '%s\n' "$package"
  done
}

install_packages() {
  local missing
  command -v dpkg-query >/dev/null ||
    fail "this script knows Debian and Ubuntu only; install the equivalents of: ${packages[*]}"
  mapfile -t missing < <(missing_packages "${packages[@]}")
  [ ${#missing[@]} -gt 0 ] || return 0
  local as_root=()
  if [ "$(id -u)" -ne 0 ]; then
    if command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
      as_root=(sudo -n)
    else
      fail "missing packages and no right to install them. Ask an administrator to run:
  apt-get install --no-install-recommends ${missing[*]}"
    fi
  fi
  say "installing Debian packages: ${missing[*]}"
  local log
  log=$(mktemp)
  if ! { "${as_root[@]}" apt-get update &&
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends \
      -o DPkg::Lock::Timeout=300 "${missing[@]}"; } </dev/null >"$log" 2>&1; then
    tail -n 15 "$log" >&2
    rm -f "$log"
    fail "apt-get could not install the packages above"
  fi
  rm -f "$log"
}

install_torch() {
  local marker=$cpu_marker
  [ "$want_gpu" = no ] || marker=$gpu_marker
  [ ! -e "$marker" ] || return 0
  mkdir -p "$cache" 2>/dev/null || fail "cannot create $cache; set KANTOR_CACHE to a writable folder"
  # Two checkouts may bootstrap at once: the second waits, then finds the work done.
  exec 9>"$cache/.lock"
  flock -w 1800 9 || fail "another bootstrap has held $cache/.lock for 30 minutes"
  [ ! -e "$marker" ] || return 0
  local python=python3
  [ ! -x /usr/bin/python3 ] || python=/usr/bin/python3
  if [ ! -x "$venv/bin/python" ]; then
    say "creating the virtual environment $venv"
    "$python" -m venv "$venv" || fail "python3 -m venv failed; is python3-venv installed?"
  fi
  local pip=("$venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-input)
  if [ "$want_gpu" = yes ]; then
    say "installing torch $torch_version with its GPU libraries (4.6 GB)"
    "${pip[@]}" "torch==$torch_version" "${cuda_wheels[@]}" || fail "pip could not install torch $torch_version"
    touch "$gpu_marker"
  else
    say "installing torch $torch_version (1.7 GB)"
    "${pip[@]}" --no-deps "torch==$torch_version" "${cuda_wheels[@]}" ||
      fail "pip could not install torch $torch_version"
  fi
  touch "$cpu_marker"
}

# Environments of their own for scripts: the first one holds torch without what Python needs of it, and stays as it is.
# install_python NAME WHAT PACKAGE..: into $cache/NAME, once.
install_python() {
  local python=$cache/$1 what=$2
  shift 2
  [ ! -e "$python/.complete" ] || return 0
  exec 9>"$cache/.lock"
  flock -w 1800 9 || fail "another bootstrap has held $cache/.lock for 30 minutes"
  [ ! -e "$python/.complete" ] || return 0
  say "installing $what"
  [ -x "$python/bin/python" ] || /usr/bin/python3 -m venv "$python" ||
    fail "python3 -m venv failed; is python3-venv installed?"
  "$python/bin/python" -m pip install --quiet --disable-pip-version-check --no-input "$@" ||
    fail "pip could not install $*"
  touch "$python/.complete"
}

install_packages
install_torch
[ "$want_pytorch" = no ] ||
  install_python "pytorch-$torch_version" "PyTorch $torch_version for Python (4.7 GB)" "torch==$torch_version" numpy
if [ "$want_numpy" = yes ]; then
  install_python "numpy-$numpy_version" "numpy $numpy_version for Python" "numpy==$numpy_version"
  say "Python with numpy: $cache/numpy-$numpy_version/bin/python"
fi
say "ready (LibTorch in $(torch_dir))"
