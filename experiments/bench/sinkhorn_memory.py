#!/usr/bin/env python3
"""Memory of a streamed Sinkhorn: sinkhorn_memory.py [--points 200000] [--threads 2] [--quick] [--out FILE]

Runs kantor on two files of N points in d = 8 for three iterations, float32 and float64, streamed, and compares the
largest resident size of the whole run, evaluation in double included, with that of a run on 64 points with everything
else equal: what it grows by must stay below 150 MB and agree with what the planner said, `storage.bytes_per_rank`,
within a factor of 1.2. One rank. From both runs the points' files are taken, which are mapped and count as resident
where they have been read.
"""
import argparse
import json
import random
import struct
import subprocess
import sys
import tempfile
from array import array
from pathlib import Path

import machine
import programs

LIMIT = 150e6
AGREEMENT = 1.2
D = 8
SMALL = 64

PROBLEM = """[problem]
epsilon = {{ relative = "mean", scale = 0.1 }}
[[problem.marginals]]
path = "x-{n}.npy"
[[problem.marginals]]
path = "y-{n}.npy"
[solver]
name = "sinkhorn"
[solver.sinkhorn]
tolerance = 0.0
max_iterations = 3
storage = "streamed"
"""


def write_points(path, n, seed):
    """[n, D] normal points, float32, as .npy."""
    law = random.Random(seed)
    header = f"{{'descr': '<f4', 'fortran_order': False, 'shape': ({n}, {D}), }}".ljust(117) + "\n"
    points = array("f", (law.gauss(0, 1) for _ in range(n * D)))
    path.write_bytes(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode() + points.tobytes())


def result_of(folder, n, precision, threads):
    """result.json of a run."""
    for seed, name in enumerate("xy"):
        write_points(folder / f"{name}-{n}.npy", n, seed)
    (folder / f"{n}.toml").write_text(PROBLEM.format(n=n))
    directory = folder / f"run-{n}-{precision}"
    subprocess.run([programs.BUILD / "kantor", "run", folder / f"{n}.toml", "--quiet", "--out", directory, "--set",
                    "run.backend=self", "--set", f"run.threads={threads}", "--set", f"run.precision={precision}"],
                   check=True)
    return json.loads((directory / "result.json").read_text())


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--points", type=int, default=200000)
    parser.add_argument("--threads", type=int, default=2)
    machine.add_common_arguments(parser, "sinkhorn_memory", uses_pytorch=False)
    arguments = parser.parse_args()
    programs.build("kantor")
    facts = machine.description()
    n = min(arguments.points, 20000) if arguments.quick else arguments.points
    rows, figures = [], []
    for precision in ("float32", "float64"):
        with tempfile.TemporaryDirectory() as name:
            small, large = (result_of(Path(name), size, precision, arguments.threads) for size in (SMALL, n))
        files = 2 * 4 * D * n
        growth = large["peak_memory_bytes"] - small["peak_memory_bytes"] - files
        planned = large["storage"]["bytes_per_rank"]
        figures.append({"precision": precision, "n": n, "growth": growth, "planned": planned, "files": files,
                        "storage": large["storage"]})
        rows.append([precision, str(n), f"{growth / 1e6:.1f}", f"{planned / 1e6:.1f}", f"{growth / planned:.2f}"])
    machine.print_table(["precision", "n = m", "growth, MB (< 150)", "planned", "ratio (within 1.2)"], rows)
    machine.save(arguments.out, facts, {"limit": LIMIT, "settings": figures})
    good = all(figure["growth"] < LIMIT and 1 / AGREEMENT <= figure["growth"] / figure["planned"] <= AGREEMENT
               for figure in figures)
    sys.exit(0 if good or arguments.quick else 1)


if __name__ == "__main__":
    main()
