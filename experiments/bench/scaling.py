#!/usr/bin/env python3
"""The training step over ranks and threads, and a model of 8 to 256 ranks.

usage: scaling.py [--problem FILE] [--set KEY=VALUE].. [--batch 2048] [--quick] [--out FILE]

Measured, in turns: one rank of one and of two threads, two ranks as threads, one and two ranks under mpirun. Strong
scaling shares the batch; weak scaling gives each rank half of it, so that the network's work per rank stays and the
pairs per rank, B^2 / R, grow with R. A speed-up is against one rank with one thread at the same batch.

The MODEL (scaling_model.py) is no measurement. S, the part that every rank repeats, is drawing, reading the batch and
Adam; it is taken from the measured two ranks: on a busy machine it comes out too large. The collectives of a step are
three: B potentials gathered, B column weights in double reduced, all parameters reduced.
"""
import argparse
import statistics
import tempfile
from pathlib import Path

import machine
import programs
import scaling_model

LAYOUTS = programs.LAYOUTS  # the first is what the others are compared to
BLOCKS = 5


class Steps:
    """Seconds per step of a layout at a batch: the least and the median of all blocks of all turns."""

    def __init__(self, problem, settings, folder, block):
        self.problem, self.settings, self.folder, self.block = problem, settings, folder, block
        self.blocks = {}  # (layout, batch) -> seconds per step of each block

    def turn(self, layout, batch):
        run = programs.run_layout(self.problem, self.folder / "run", layout, {
            **self.settings, **programs.STEPS_ONLY, "solver.name": "neural", "solver.neural.batch": batch,
            "solver.neural.steps": (BLOCKS + 1) * self.block, "solver.neural.log_every": self.block})
        self.blocks.setdefault((layout[0], batch), []).extend(run.step_seconds(batch))

    def least(self, layout, batch):
        return min(self.blocks[layout, batch])

    def median(self, layout, batch):
        return statistics.median(self.blocks[layout, batch])


def figures_of(steps, cases):
    """Of (layout, ranks, batch) cases."""
    base, figures = LAYOUTS[0][0], []
    for name, ranks, batch in cases:
        least, median = steps.least(name, batch), steps.median(name, batch)
        figures.append({"layout": name, "ranks": ranks, "batch": batch, "seconds_least": least,
                        "seconds_median": median, "speed_up_least": steps.least(base, batch) / least,
                        "speed_up_median": steps.median(base, batch) / median,
                        "samples_per_second_per_rank": batch / least / ranks,
                        "pairs_per_second_per_rank": batch * batch / least / ranks})
    return figures


def print_strong(figures):
    print("Strong scaling:")
    machine.print_table(
        ["", "batch", "ms per step, least", "median", "speed-up, least", "median"],
        [[row["layout"], str(row["batch"]), f"{1e3 * row['seconds_least']:.2f}", f"{1e3 * row['seconds_median']:.2f}",
          f"{row['speed_up_least']:.2f}", f"{row['speed_up_median']:.2f}"] for row in figures])


def print_weak(figures):
    print("Weak scaling, half of the batch for each rank:")
    machine.print_table(
        ["", "batch", "ms per step, least", "samples/s per rank", "pairs/ns per rank"],
        [[row["layout"], str(row["batch"]), f"{1e3 * row['seconds_least']:.2f}",
          f"{row['samples_per_second_per_rank']:,.0f}", f"{row['pairs_per_second_per_rank'] / 1e9:.2f}"]
         for row in figures])


def sizes_of_step(batch, num_parameters):
    """Floats in each collective of a step; column weights are doubles."""
    return {"all_gather": batch, "reduce_scatter": 2 * batch, "all_reduce": num_parameters}


def num_parameters(d, width):
    sizes = [d, *width, 1]
    return sum((fan_in + 1) * fan_out for fan_in, fan_out in zip(sizes, sizes[1:]))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--problem", type=Path, default=machine.ROOT / "experiments/mixtures/problem.toml")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="on top of the problem file")
    parser.add_argument("--batch", type=int, default=2048)
    parser.add_argument("--turns", type=int, help="of each layout; default 7, or 2 with --quick")
    machine.add_common_arguments(parser, "scaling", uses_pytorch=False)
    arguments = parser.parse_args()
    programs.build("kantor", "collectives_benchmark")
    facts = machine.description()
    settings = {"problem.marginals.0.generator.d": 16, "problem.marginals.1.generator.d": 16} if (
        arguments.problem == parser.get_default("problem")) else {}
    settings.update(pair.split("=", 1) for pair in arguments.set)
    batch, half = arguments.batch, arguments.batch // 2
    cases = [(layout, batch) for layout in LAYOUTS] + [(LAYOUTS[0], half), (LAYOUTS[3], half)]
    with tempfile.TemporaryDirectory() as folder:
        steps = Steps(arguments.problem, settings, Path(folder), block=10)
        for _ in range(arguments.turns or (2 if arguments.quick else 7)):
            for layout, size in cases:
                steps.turn(layout, size)
        resolved = programs.Run(Path(folder) / "run")
    d = resolved.result["d"][0]
    strong = figures_of(steps, [(name, ranks, batch) for name, ranks, _, _ in LAYOUTS])
    weak = figures_of(steps, [(LAYOUTS[0][0], 1, half), (LAYOUTS[2][0], 2, batch), (LAYOUTS[3][0], 1, half),
                              (LAYOUTS[4][0], 2, batch)])
    measured = scaling_model.collectives()
    one, two = steps.least(LAYOUTS[3][0], batch), steps.least(LAYOUTS[4][0], batch)
    sizes = sizes_of_step(batch, num_parameters(d, [128, 128]))
    link_times = scaling_model.links(sizes, measured["mpi/2"])
    repeated = min(one, max(0.0, 2 * (two - link_times["host"](2)) - one))
    rows = scaling_model.rows_of(one, repeated, link_times)
    print_strong(strong)
    print_weak(weak)
    scaling_model.print_model(one, repeated, rows)
    machine.save(arguments.out, facts, {
        "problem": str(arguments.problem), "settings": settings, "d": d, "strong": strong, "weak": weak,
        "collectives_seconds": measured, "floats_per_step": sizes,
        "model": {"is_measured": False, "one_rank_seconds": one, "two_ranks_seconds": two,
                  "repeated_seconds": repeated, "rows": rows}})


if __name__ == "__main__":
    main()
