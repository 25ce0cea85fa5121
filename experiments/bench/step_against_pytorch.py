#!/usr/bin/env python3
"""The training step of kantor against PyTorch eager, side by side: step_against_pytorch.py [--quick] [--out FILE]

One rank, one thread each. Same points, objective (the neural semi-dual, cost in expanded form without gradient),
network (an MLP with silu, no quadratic part) and optimiser (Adam; PyTorch's default, and once more with fused=True).
Measured in turns, PyTorch, kantor, PyTorch, kantor, ..: each turn gives the time of several blocks of steps.
"least" is the ratio of the shortest blocks of both, "median" the median over turns of the ratio of their medians.
PyTorch's program is pytorch_semi_dual.py; kantor's time is that between lines of metrics.jsonl.
"""
import argparse
import statistics
import tempfile
from pathlib import Path

import machine
import programs

programs.enter_pytorch()
import numpy  # noqa: E402  in the environment that has it
import torch  # noqa: E402

from pytorch_semi_dual import Training  # noqa: E402

NUM_POINTS = 10000
EPSILON = 0.1  # 5 % of the mean cost of points of variance 1 / D
# D, batch, width, steps in a block (a tenth of a second or so), ratio that kantor should reach.
SETTINGS = [(16, 512, [128, 128], 50, 2.5), (16, 2048, [128, 128], 6, 4.0), (784, 512, [512, 512], 6, 1.1)]
BLOCKS = 3  # in a turn
WARM_UP = 20  # steps before the first block of a turn


def write_points(folder, d):
    """x from N(0, I/D), y from N(shift, I/D): float32 files."""
    random = numpy.random.default_rng(1)
    for name, shift in (("x", 0.0), ("y", 0.5 / d**0.5)):
        points = random.standard_normal((NUM_POINTS, d)) / d**0.5 + shift
        numpy.save(folder / f"{name}.npy", points.astype(numpy.float32))


class PyTorch:
    def __init__(self, folder, batch, width, fused):
        x, y = (torch.from_numpy(numpy.load(folder / f"{name}.npy")) for name in "xy")
        self.training = Training(x, y, EPSILON, width, batch, fused=fused)

    def turn(self, block):
        """Seconds per step of each block."""
        self.training.run(WARM_UP)
        return [self.training.run(block) / block for _ in range(BLOCKS)]


class Kantor:
    def __init__(self, folder, batch, width):
        self.folder, self.batch = folder, batch
        self.problem = programs.problem_file(folder, EPSILON)
        self.settings = {**programs.STEPS_ONLY, "run.backend": "self", "run.threads": 1,
                         "solver.neural.batch": batch, "solver.neural.network.width": width,
                         "solver.neural.network.quadratic": "false"}

    def turn(self, block):
        # Lines fall on multiples of log_every; the first one ends the warm-up.
        first = -(-WARM_UP // block)
        settings = {**self.settings, "solver.neural.steps": (first + BLOCKS) * block, "solver.neural.log_every": block}
        run = programs.run_kantor(self.problem, self.folder / "run", settings)
        return run.step_seconds(self.batch)[-BLOCKS:]


def compare(d, batch, width, block, turns):
    """Seconds per step of every turn: name -> [turns][blocks]."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_points(folder, d)
        sides = {"pytorch": PyTorch(folder, batch, width, False), "kantor": Kantor(folder, batch, width),
                 "pytorch_fused": PyTorch(folder, batch, width, True)}
        times = {side: [] for side in sides}
        for _ in range(turns):
            for side, program in sides.items():
                times[side].append(program.turn(block))
    return times


def ratio(times, side):
    """How many times kantor is faster: of the least times, and the median over turns."""
    least = {name: min(min(turn) for turn in times[name]) for name in (side, "kantor")}
    turns = [statistics.median(other) / statistics.median(own) for other, own in zip(times[side], times["kantor"])]
    return least[side] / least["kantor"], statistics.median(turns)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--turns", type=int, help="of each side; default 9, or 3 with --quick")
    machine.add_common_arguments(parser, "step_against_pytorch")
    arguments = parser.parse_args()
    turns = arguments.turns or (3 if arguments.quick else 9)
    programs.build("kantor")
    torch.set_num_threads(1)
    facts = {**machine.description(), "keep_memory": arguments.keep_memory, "torch": torch.__version__,
             "torch_cpu": torch.backends.cpu.get_cpu_capability()}

    rows, figures = [], []
    for d, batch, width, block, target in SETTINGS:
        times = compare(d, batch, width, block, turns)
        least, median = ratio(times, "pytorch")
        fused_least, fused_median = ratio(times, "pytorch_fused")
        shortest = {side: 1e3 * min(map(min, of_side)) for side, of_side in times.items()}
        figures.append({"d": d, "batch": batch, "width": width, "target": target, "ratio_least": least,
                        "ratio_median": median, "ratio_fused_least": fused_least, "ratio_fused_median": fused_median,
                        "ms_per_step_least": shortest, "seconds_per_step": times})
        rows.append([str(d), str(batch), "x".join(map(str, width)), f"{shortest['pytorch']:.2f}",
                     f"{shortest['pytorch_fused']:.2f}", f"{shortest['kantor']:.2f}", f"{least:.2f}", f"{median:.2f}",
                     f"{fused_least:.2f}", f"{fused_median:.2f}", f">= {target:g}"])
    machine.print_table(["d", "batch", "width", "PyTorch ms", "fused Adam ms", "kantor ms", "ratio, least", "median",
                         "to fused, least", "median", "wanted"], rows)
    machine.save(arguments.out, facts, {"settings": figures})


if __name__ == "__main__":
    main()
