#!/usr/bin/env python3
"""The learned potential of a kantor run at new points, with numpy alone.

usage: evaluate_potential.py [--as-is] RUN_DIR POINTS.npy [OUT.npy]

Rebuilds the network from RUN_DIR/model.json and model.safetensors and gives f at the points
[n, d], as `kantor eval` does for marginal 0: the points are multiplied by the `scale` that the
run's own had, unless --as-is. Without OUT.npy it prints one value per line.
"""
import json
import math
import struct
import sys

import numpy as np

ACTIVATIONS = {
    "silu": lambda x: x / (1 + np.exp(np.minimum(-x, 700))),
    "relu": lambda x: np.maximum(x, 0),
    "gelu": lambda x: 0.5 * x * (1 + np.vectorize(math.erf)(x / math.sqrt(2))),
    "tanh": np.tanh,
    "softplus": lambda x: np.where(x > 20, x, np.log1p(np.exp(np.minimum(x, 20)))),
}


def read_safetensors(path):
    """Name -> float64 array. Format: length of the header (8 bytes), JSON header, data."""
    with open(path, "rb") as file:
        header = json.loads(file.read(struct.unpack("<Q", file.read(8))[0]))
        data = file.read()
    header.pop("__metadata__", None)
    kinds = {"F32": "<f4", "F64": "<f8"}
    return {name: np.frombuffer(data[slice(*entry["data_offsets"])], kinds[entry["dtype"]])
            .reshape(entry["shape"]).astype(np.float64) for name, entry in header.items()}


def potential(run_directory, points, as_is=False):
    with open(run_directory + "/model.json") as file:
        model = json.load(file)
    tensors = read_safetensors(run_directory + "/model.safetensors")
    x = np.asarray(points, np.float64).reshape(len(points), model["d"])
    treatment = model.get("input", {"scale": 1, "unit_length": False})
    x = x if as_is else x * treatment["scale"]
    if treatment["unit_length"]:
        x = x / np.linalg.norm(x, axis=1, keepdims=True)
    z = x - tensors["input.mean"]
    hidden = z / tensors["input.deviation"]
    depth = len(model["network"]["width"])
    for k in range(depth + 1):
        hidden = hidden @ tensors[f"layers.{k}.weight"].T + tensors[f"layers.{k}.bias"]
        if k < depth:
            hidden = ACTIVATIONS[model["network"]["activation"]](hidden)
    f = model["output_scale"] * hidden[:, 0] + model["constant"]
    quadratic = model["quadratic"]
    if quadratic["scale"] != 0:
        f += quadratic["scale"] * (quadratic["square"] * (z**2).sum(1)
                                   - ((z @ tensors["quadratic.factor"])**2).sum(1)
                                   + 2 * z @ tensors["quadratic.linear"])
    return f


if __name__ == "__main__":
    if "--help" in sys.argv:
        sys.exit(print(__doc__))
    words = [word for word in sys.argv[1:] if word != "--as-is"]
    if len(words) not in (2, 3):
        sys.exit(__doc__)
    values = potential(words[0], np.load(words[1]), as_is=len(words) < len(sys.argv) - 1)
    np.save(words[2], values) if len(words) == 3 else np.savetxt(sys.stdout, values)
