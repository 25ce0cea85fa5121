#!/usr/bin/env python3
"""The training step over ranks and threads, and a model of 8 to 256 ranks.

usage: scaling.py [--problem FILE] [--set KEY=VALUE].. [--batch 2048] [--quick] [--out FILE]

Measured, in turns: one rank of one and of two threads, two ranks as threads, one and two ranks under mpirun. Strong
scaling shares the batch; weak scaling gives each rank half of it, so that the network's work per rank stays and the
pairs per rank, B^2 / R, grow with R. A speed-up is against one rank with one thread at the same batch.

The MODEL is no measurement: T(R) = S + (T(1) - S) / R + t(R). T(1) is the measured step; S is the part that every
rank repeats (drawing, reading the batch, Adam), taken from the measured two ranks: on a busy machine it comes out too
large. t(R) is the time of the three collectives of a step: B potentials gathered, B column weights in double reduced,
all parameters reduced.
  host        MPI in shared memory: fitted to collectives_benchmark on two ranks, its latency times log2(R)
  InfiniBand  a tree of 2 log2(R) hops of 5 us, 10 GB/s
  TCP         100 us for each collective, 1 GB/s
"ideal" leaves S out: T(R) = T(1) / R + t(R).
"""
import argparse
import math
import statistics
import tempfile
from pathlib import Path

import machine
import programs

# Name, ranks, mpirun or not, settings. The first is what the others are compared to.
LAYOUTS = [
    ("1 rank, 1 thread", 1, False, {"run.backend": "self", "run.threads": 1}),
    ("1 rank, 2 threads", 1, False, {"run.backend": "self", "run.threads": 2}),
    ("2 ranks as threads", 2, False, {"run.backend": "thread", "run.ranks": 2, "run.threads": 1}),
    ("mpirun -np 1", 1, True, {"run.backend": "mpi", "run.threads": 1}),
    ("mpirun -np 2", 2, True, {"run.backend": "mpi", "run.threads": 1}),
]
MODEL_RANKS = [2, 8, 16, 32, 64, 128, 256]
BLOCKS = 5


class Steps:
    """Seconds per step of a layout at a batch: the least and the median of all blocks of all turns."""

    def __init__(self, problem, settings, folder, block):
        self.problem, self.settings, self.folder, self.block = problem, settings, folder, block
        self.blocks = {}  # (layout, batch) -> seconds per step of each block

    def turn(self, layout, batch):
        name, ranks, is_mpi, own = layout
        run = programs.run_kantor(self.problem, self.folder / "run", {
            **self.settings, **programs.STEPS_ONLY, **own, "solver.name": "neural", "solver.neural.batch": batch,
            "solver.neural.steps": (BLOCKS + 1) * self.block, "solver.neural.log_every": self.block},
            ranks if is_mpi else None)
        self.blocks.setdefault((name, batch), []).extend(run.step_seconds(batch))

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


def collectives():
    """Measured times of the collectives: backend/ranks -> verb -> floats -> seconds."""
    times = {}
    for ranks in (None, 2):
        for name, seconds in programs.benchmark("collectives_benchmark", "--benchmark_repetitions=5",
                                                ranks=ranks).items():
            verb, backend, num_ranks, floats = name.split("/")[:4]
            place = times.setdefault(f"{backend}/{num_ranks.split(':')[1]}", {}).setdefault(verb, {})
            place[int(floats.split(":")[1])] = seconds
    return times


def line_through(times):
    """(seconds, seconds per float) of the smallest and the largest size measured."""
    (small, t_small), (large, t_large) = min(times.items()), max(times.items())
    slope = max(0.0, (t_large - t_small) / (large - small))
    return t_small - slope * small, slope


def sizes_of_step(batch, num_parameters):
    """Floats in each collective of a step; column weights are doubles."""
    return {"all_gather": batch, "reduce_scatter": 2 * batch, "all_reduce": num_parameters}


def links(sizes, measured):
    """Name -> seconds of a step's collectives on R ranks. @param measured verb -> floats -> seconds, on two ranks."""
    lines = {verb: line_through(measured[verb]) for verb in sizes}

    def ring(ranks):
        """Volume per rank, against the buffer's size; 1 on two ranks."""
        return 2 * (ranks - 1) / ranks

    return {
        "host": lambda ranks: sum(lines[verb][0] * math.log2(ranks) + lines[verb][1] * floats * ring(ranks)
                                  for verb, floats in sizes.items()),
        "InfiniBand": lambda ranks: sum(2 * 5e-6 * math.log2(ranks) + 4 * floats * ring(ranks) / 10e9
                                        for floats in sizes.values()),
        "TCP": lambda ranks: sum(100e-6 + 4 * floats * ring(ranks) / 1e9 for floats in sizes.values())}


def model(one, two, link_times):
    """(S, rows). @param one, two measured seconds per step."""
    repeated = min(one, max(0.0, 2 * (two - link_times["host"](2)) - one))
    rows = [{"ranks": ranks, "links": {
        name: {"collectives": t(ranks), "ideal": one / ranks + t(ranks),
               "seconds": repeated + (one - repeated) / ranks + t(ranks)} for name, t in link_times.items()}}
        for ranks in MODEL_RANKS]
    return repeated, rows


def num_parameters(d, width):
    sizes = [d, *width, 1]
    return sum((fan_in + 1) * fan_out for fan_in, fan_out in zip(sizes, sizes[1:]))


def print_model(one, repeated, rows):
    print(f"MODEL, not measured (T(1) = {1e3 * one:.2f} ms, S = {1e3 * repeated:.2f} ms):")
    columns = ["ranks"]
    for name in rows[0]["links"]:
        columns += [f"{name}: t, us", "T, ms", "speed-up", "ideal"]
    machine.print_table(columns, [[str(row["ranks"])] + [text for link in row["links"].values() for text in (
        f"{1e6 * link['collectives']:.0f}", f"{1e3 * link['seconds']:.2f}", f"{one / link['seconds']:.1f}",
        f"{one / link['ideal']:.1f}")] for row in rows])


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
    measured = collectives()
    one, two = steps.least(LAYOUTS[3][0], batch), steps.least(LAYOUTS[4][0], batch)
    sizes = sizes_of_step(batch, num_parameters(d, [128, 128]))
    repeated, rows = model(one, two, links(sizes, measured["mpi/2"]))
    print_strong(strong)
    print_weak(weak)
    print_model(one, repeated, rows)
    machine.save(arguments.out, facts, {
        "problem": str(arguments.problem), "settings": settings, "d": d, "strong": strong, "weak": weak,
        "collectives_seconds": measured, "floats_per_step": sizes,
        "model": {"is_measured": False, "one_rank_seconds": one, "two_ranks_seconds": two,
                  "repeated_seconds": repeated, "rows": rows}})


if __name__ == "__main__":
    main()
