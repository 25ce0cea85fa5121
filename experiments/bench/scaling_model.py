"""A model of more ranks than there are: T(R) = S + (T(1) - S) / R + t(R). No measurement, and marked so in print.

T(1) and S, the part that every rank repeats, are measured. t(R) is the time of the collectives:
  host        MPI in shared memory: fitted to collectives_benchmark on two ranks, its latency times log2(R)
  InfiniBand  a tree of 2 log2(R) hops of 5 us, 10 GB/s
  TCP         100 us for each collective, 1 GB/s
"ideal" leaves S out: T(R) = T(1) / R + t(R).
"""
import math

import machine
import programs

RANKS = [2, 8, 16, 32, 64, 128, 256]


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


def links(sizes, measured):
    """Name -> seconds of the collectives on R ranks. @param measured verb -> floats -> seconds, on two ranks."""
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


def rows_of(one, repeated, link_times):
    """A row for every number of ranks. @param one, repeated T(1) and S."""
    return [{"ranks": ranks, "links": {
        name: {"collectives": t(ranks), "ideal": one / ranks + t(ranks),
               "seconds": repeated + (one - repeated) / ranks + t(ranks)} for name, t in link_times.items()}}
        for ranks in RANKS]


def print_model(one, repeated, rows):
    print(f"MODEL, not measured (T(1) = {1e3 * one:.2f} ms, S = {1e3 * repeated:.2f} ms):")
    columns = ["ranks"]
    for name in rows[0]["links"]:
        columns += [f"{name}: t, us", "T, ms", "speed-up", "ideal"]
    machine.print_table(columns, [[str(row["ranks"])] + [text for link in row["links"].values() for text in (
        f"{1e6 * link['collectives']:.0f}", f"{1e3 * link['seconds']:.2f}", f"{one / link['seconds']:.1f}",
        f"{one / link['ideal']:.1f}")] for row in rows])
