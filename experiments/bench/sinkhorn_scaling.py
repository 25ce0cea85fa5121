#!/usr/bin/env python3
"""Sinkhorn's iteration over ranks and threads, and a model of 8 to 256 ranks.

usage: sinkhorn_scaling.py [--points 8192] [--dimension 64] [--turns N] [--quick] [--out FILE]

Measured in turns, in each form of storage: one rank of one and of two threads, two ranks as threads, one and two ranks
under mpirun; the speed of a plain read of as many bytes on one and two threads too. Strong scaling shares the rows of
n x n costs; a speed-up is against one rank with one thread. Weak scaling gives each rank n / 2 rows of n columns.
Stored forms are read from memory: they cannot scale better than a plain read does, and are compared to that.

The MODEL (scaling_model.py) is no measurement. S, the part that every rank repeats, is the update of g and what else
goes over the columns: an iteration of 64 rows and n columns, less its share of T(1). (Two ranks would not tell: they
share the memory of one machine.) The collective of an iteration is one all-reduce of the column sums and a few numbers
more, in double. Beside the measured size there is one of 8 n points a side: 64 times the T(1), 8 times the S.
"""
import argparse
import tempfile
from pathlib import Path

import machine
import programs
import scaling_model
import sinkhorn_runs as runs

LAYOUTS = programs.LAYOUTS
PROBLEM = machine.ROOT / "experiments/mixtures/problem.toml"
WANTED_STREAMED = 1.8  # of two ranks against one
WANTED_STORED = 0.9    # of the scaling of a plain read
TAIL = 5               # doubles behind the column sums in the all-reduce (solvers/sinkhorn/pass.cpp)
MODEL_GROWTH = 8
FEW = 64               # rows of the run that tells S


def settings_of(rows, columns, d):
    settings = {"problem.epsilon.scale": 0.05}
    for side, n in enumerate((rows, columns)):
        settings |= {f"problem.marginals.{side}.generator.n": n, f"problem.marginals.{side}.generator.d": d}
    return settings


def measure(arguments, folder):
    """(times of (storage, layout, rows), threads -> bytes per second of a plain read)"""
    n, half = arguments.points, arguments.points // 2
    cases = [(layout, n) for layout in LAYOUTS] + [(runs.ONE_THREAD, half), (runs.MPI_ONE, half),
                                               (runs.MPI_ONE, FEW)]
    times = runs.Iterations(folder, 0.3 if arguments.quick else 0.8)
    bandwidth = {}
    for _ in range(arguments.turns):
        for storage in runs.STORAGES:
            for layout, rows in cases:
                times.turn_of_kantor((storage, layout[0], rows), PROBLEM, layout, storage,
                                     settings_of(rows, n, arguments.dimension))
        for threads, speed in runs.read_bytes_per_second(n, arguments.quick).items():
            bandwidth[threads] = max(speed, bandwidth.get(threads, 0))
    return times, bandwidth


def strong_figures(times, n, read_scaling):
    figures = []
    for storage in runs.STORAGES:
        for name, ranks, _, _ in LAYOUTS:
            case, base = (storage, name, n), (storage, runs.ONE_THREAD[0], n)
            speed_up = times.least(base) / times.least(case)
            figures.append({"storage": storage, "layout": name, "ranks": ranks, **times.seconds_of(case),
                            "speed_up_least": speed_up, "speed_up_median": times.median(base) / times.median(case)})
            if storage != "streamed":
                figures[-1]["share_of_read_scaling"] = speed_up / read_scaling
    return figures


def weak_figures(times, n):
    """Two ranks with twice the rows of one."""
    figures = []
    for storage in runs.STORAGES:
        for one, two in ((runs.ONE_THREAD, runs.THREAD_RANKS), (runs.MPI_ONE, runs.MPI_RANKS)):
            alone, shared = times.least((storage, one[0], n // 2)), times.least((storage, two[0], n))
            figures.append({"storage": storage, "one": one[0], "two": two[0], "one_seconds": alone,
                            "two_seconds": shared, "efficiency": alone / shared})
    return figures


def wanted(row):
    if row["layout"] not in (runs.THREAD_RANKS[0], runs.MPI_RANKS[0]):
        return ""
    return f"speed-up >= {WANTED_STREAMED}" if row["storage"] == "streamed" else f"share >= {WANTED_STORED}"


def print_measured(strong, weak, bandwidth):
    print("Strong scaling:")
    machine.print_table(
        ["storage", "", "ms per iteration, least", "median", "speed-up, least", "median", "of the read's", "wanted"],
        [[row["storage"], row["layout"], f"{1e3 * row['seconds_least']:.2f}", f"{1e3 * row['seconds_median']:.2f}",
          f"{row['speed_up_least']:.2f}", f"{row['speed_up_median']:.2f}",
          f"{row['share_of_read_scaling']:.2f}" if "share_of_read_scaling" in row else "", wanted(row)]
         for row in strong])
    print(f"A plain read: {bandwidth[1] / 1e9:.1f} GB/s on one thread, {bandwidth[2] / 1e9:.1f} on two: "
          f"{bandwidth[2] / bandwidth[1]:.2f}")
    print("Weak scaling, half of the rows for each rank:")
    machine.print_table(["storage", "", "one rank, ms", "two ranks, ms", "efficiency"], [
        [row["storage"], f"{row['one']}, {row['two']}", f"{1e3 * row['one_seconds']:.2f}",
         f"{1e3 * row['two_seconds']:.2f}", f"{row['efficiency']:.2f}"] for row in weak])


def print_models(times, n, d):
    """Of streamed and absorbed, at the measured and a larger size. @return for the JSON file."""
    collectives = scaling_model.collectives()
    models = []
    for storage in ("streamed", "absorbed"):
        one, few = (times.least((storage, runs.MPI_ONE[0], rows)) for rows in (n, FEW))
        repeated = max(0.0, few - one * FEW / n)
        for growth in (1, MODEL_GROWTH):
            size = {"one": growth**2 * one, "repeated": growth * repeated}
            rows = scaling_model.rows_of(**size, link_times=links_of(growth * n, collectives))
            print(f"{storage}, n = m = {growth * n:,}, d = {d}. ", end="")
            scaling_model.print_model(**size, rows=rows)
            models.append({"is_measured": False, "storage": storage, "n": growth * n, **size, "rows": rows})
    return {"collectives_seconds": collectives, "models": models}


def links_of(n, collectives):
    return scaling_model.links({"all_reduce": 2 * (n + TAIL)}, collectives["mpi/2"])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--points", type=int, default=8192)
    parser.add_argument("--dimension", type=int, default=64)
    parser.add_argument("--turns", type=int, help="of each layout; default 5, or 2 with --quick")
    machine.add_common_arguments(parser, "sinkhorn_scaling", uses_pytorch=False)
    arguments = parser.parse_args()
    arguments.turns = arguments.turns or (2 if arguments.quick else 5)
    programs.build("kantor", "kernels_benchmark", "collectives_benchmark")
    facts = machine.description()
    n, d = arguments.points, arguments.dimension
    with tempfile.TemporaryDirectory() as folder:
        times, bandwidth = measure(arguments, Path(folder))
    strong, weak = strong_figures(times, n, bandwidth[2] / bandwidth[1]), weak_figures(times, n)
    print_measured(strong, weak, bandwidth)
    models = print_models(times, n, d)
    machine.save(arguments.out, facts, {"n": n, "d": d, "strong": strong, "weak": weak,
                                        "read_bytes_per_second": bandwidth, **models})


if __name__ == "__main__":
    main()
