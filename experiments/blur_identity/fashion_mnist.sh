#!/usr/bin/env bash
# The study on Fashion-MNIST's 60,000 training images: blurs them (with numpy, which launch/bootstrap.sh --numpy installs),
# then as run.sh. Options: run_study.py.
set -euo pipefail
here="$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)"
root="$(cd -- "$here/../.." && pwd)"
"$root/launch/bootstrap.sh" --numpy </dev/null >/dev/null
torch="$("$root/launch/bootstrap.sh" --print)"
numpys=("${torch%/torch-*}"/numpy-*/.complete)
mkdir -p "$root/runs/blurred"
for sigma in 2 4; do
  "$(dirname -- "${numpys[-1]}")/bin/python" "$here/blur_images.py" /usr/share/datasets/fashion-mnist/train-images-idx3-ubyte.gz \
    "$root/runs/blurred/sigma$sigma.npy" "$sigma"
done
cd "$root"  # the recipe's paths
exec python3 "$here/../run_study.py" blur_identity --recipe fashion_mnist.json "$@"
