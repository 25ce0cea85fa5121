#!/usr/bin/env python3
"""Memory of a step at a large batch: memory.py [--batch 8192] [--pytorch] [--quick] [--out FILE]

Runs kantor at the batch and at a batch of 64 with everything else equal, and compares the largest resident size of
the two processes while they train: the kernel's mark of it (VmHWM) is put back to the present size after the first
steps (/proc/PID/clear_refs), so that start-up does not count, and read again some steps later.
From the growth is taken what batch points and activations need at least, all of them counted once:

    points        2 B D          the rows of both marginals
    inputs        2 B D          centred, and divided by the deviations
    activations   2 B sum(width) before and after each silu, kept for the backward pass
    gradients     2 B max(width) of one layer's output and input at a time
    vectors       8 B doubles    potentials, weights, soft minima

The rest must stay below 64 MB; a B x B array of float32 at B = 8,192 alone has 256 MB. One rank, one thread; the
network is that of PyTorch's program, without kantor's quadratic part.
--pytorch measures the same of pytorch_semi_dual.py, for comparison.
"""
import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

import machine
import programs

programs.enter_pytorch()
import numpy  # noqa: E402  in the environment that has it

LIMIT = 64e6
SMALL = 64
EPSILON = 0.1
NUM_POINTS = 20000


def least_bytes(batch, d, width):
    floats = 2 * d + 2 * d + 2 * sum(width) + 2 * max(width)
    return batch * (4 * floats + 8 * 8)


def peak_of(pid):
    """VmHWM. [bytes]"""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return 1024 * int(line.split()[1])
    sys.exit(f"/proc/{pid}/status has no VmHWM")


def kantor_peak(folder, batch, width, steps):
    """Peak bytes of a process over some steps."""
    directory = folder / f"run-{batch}"
    process = programs.start_kantor(programs.problem_file(folder, EPSILON), directory, {
        **programs.STEPS_ONLY, "run.backend": "self", "run.threads": 1, "solver.neural.batch": batch,
        "solver.neural.steps": 10**6, "solver.neural.log_every": 1, "solver.neural.network.width": width,
        "solver.neural.network.quadratic": "false"})
    try:
        num_lines = programs.wait_for_lines(process, directory / "metrics.jsonl", 2)
        Path(f"/proc/{process.pid}/clear_refs").write_text("5")
        programs.wait_for_lines(process, directory / "metrics.jsonl", num_lines + steps)
        return peak_of(process.pid)
    finally:
        process.kill()
        process.wait()


def pytorch_peak(folder, batch, width, steps):
    """The same of a Python process."""
    program = f"""
import numpy, torch
from memory import peak_of
from pathlib import Path
from pytorch_semi_dual import Training
torch.set_num_threads(1)
x, y = (torch.from_numpy(numpy.load("{folder}/" + name)) for name in ("x.npy", "y.npy"))
training = Training(x, y, {EPSILON}, {width}, {batch})
training.run(1)
Path("/proc/self/clear_refs").write_text("5")
training.run({steps})
print(peak_of("self"))
"""
    done = subprocess.run([sys.executable, "-c", program], cwd=Path(__file__).parent, check=True,
                          capture_output=True, text=True)
    return int(done.stdout)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batch", type=int, default=8192)
    parser.add_argument("--pytorch", action="store_true")
    machine.add_common_arguments(parser, "memory")
    arguments = parser.parse_args()
    programs.build("kantor")
    facts = machine.description()
    batch, steps = arguments.batch, 2 if arguments.quick else 5
    rows, figures = [], []
    for d, width in ((16, [128, 128]), (784, [512, 512])):
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            random = numpy.random.default_rng(1)
            for file in ("x.npy", "y.npy"):
                numpy.save(folder / file, (random.standard_normal((NUM_POINTS, d)) / d**0.5).astype(numpy.float32))
            small, large = (kantor_peak(folder, size, width, steps) for size in (SMALL, batch))
            needed = least_bytes(batch, d, width) - least_bytes(SMALL, d, width)
            beyond = large - small - needed
            figure = {"d": d, "width": width, "batch": batch, "peak_bytes": large, "peak_bytes_small": small,
                      "growth": large - small, "needed": needed, "beyond": beyond}
            cells = [str(d), str(batch), "x".join(map(str, width)), *(f"{value / 1e6:.0f}" for value in (
                small, large, large - small, needed, beyond))]
            if arguments.pytorch:
                figure["growth_pytorch"] = (pytorch_peak(folder, batch, width, 2) -
                                            pytorch_peak(folder, SMALL, width, 2))
                cells.append(f"{figure['growth_pytorch'] / 1e6:.0f}")
        figures.append(figure)
        rows.append(cells)
    columns = ["d", "batch", "width", f"peak at {SMALL}, MB", f"at {batch}", "growth", "needed", "beyond (< 64)"]
    machine.print_table(columns + (["growth of PyTorch"] if arguments.pytorch else []), rows)
    machine.save(arguments.out, facts, {"limit": LIMIT, "settings": figures})
    sys.exit(0 if all(figure["beyond"] < LIMIT for figure in figures) else 1)


if __name__ == "__main__":
    main()
