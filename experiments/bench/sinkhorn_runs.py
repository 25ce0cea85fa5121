"""Times of Sinkhorn: seconds per full iteration, both potentials updated, of kantor and of others."""
import json
import math
import statistics
from pathlib import Path

import programs

STORAGES = ["streamed", "materialised", "absorbed", "absorbed16"]
MOST = 4000  # iterations of a run
FIRST = 20   # of kantor's that are left out: the absorbed kernel is made anew in the first ones
BLOCKS = 4   # that the others are cut into

ONE_THREAD, TWO_THREADS, THREAD_RANKS, MPI_ONE, MPI_RANKS = programs.LAYOUTS
TWO_CORES = [THREAD_RANKS, TWO_THREADS, MPI_RANKS]


def run(problem, folder, layout, storage, iterations, settings=None):
    """A run of so many iterations, whatever its error. @param settings on top of the problem file."""
    return programs.run_layout(problem, Path(folder) / "run", layout, {
        "run.checkpoint.every_seconds": 0, **(settings or {}), "solver.name": "sinkhorn",
        "solver.sinkhorn.storage": storage, "solver.sinkhorn.tolerance": 0,
        "solver.sinkhorn.max_iterations": iterations})


class Iterations:
    """Seconds per iteration of any number of cases, measured in turns.

    A run of kantor says in metrics.jsonl when each iteration was over: it is cut into blocks. Of others there is a
    short and a long run a turn; what the long one takes longer, over the iterations that it makes more, holds no
    set-up. Their least is that of the least of the long and of the short runs: the difference of one pair is also too
    small when something else disturbed the short run.
    """

    def __init__(self, folder, seconds):
        """@param seconds that the timed iterations of a turn take, about"""
        self.folder, self.seconds = Path(folder), seconds
        self.timed = {}             # case -> iterations of a turn that are timed
        self.blocks = {}            # case -> seconds per iteration of each block, or of each pair of runs
        self.short, self.long = {}, {}

    def turn_of_kantor(self, case, problem, layout, storage, settings=None):
        """@param case names what is timed"""
        if case not in self.timed:
            rough = statistics.median(self.block_seconds(problem, layout, storage, settings, FIRST + 12, 4))
            self.timed[case] = max(2 * BLOCKS, min(MOST, round(self.seconds / rough)))
        self.blocks.setdefault(case, []).extend(
            self.block_seconds(problem, layout, storage, settings, FIRST + self.timed[case], BLOCKS))

    def block_seconds(self, problem, layout, storage, settings, iterations, num_blocks):
        lines = (run(problem, self.folder, layout, storage, iterations + 1, settings).directory
                 / "metrics.jsonl").read_text().splitlines()
        at = {line["step"]: line["seconds"] for line in map(json.loads, lines) if line["phase"] == "sinkhorn"}
        ends = [FIRST + (iterations - FIRST) * k // num_blocks for k in range(num_blocks + 1)]
        return [(at[end] - at[start]) / (end - start) for start, end in zip(ends, ends[1:])]

    def turn(self, case, time, first, block):
        """One more turn of a program; none for one whose runs take long.

        @param time  time(iterations) makes a run, and returns its seconds
        @param first iterations of the short run
        @param block what the long one makes more is a multiple of it
        """
        if case not in self.timed:
            more, short, long = self.first_pair(time, first, block)
            self.timed[case] = block * max(1, round(min(MOST, more * self.seconds / max(long - short, 1e-9)) / block))
            if self.timed[case] == more:  # they took long: no need to make them again
                self.keep(case, short, long)
                return
        elif self.long[case][0] > 8 * self.seconds:
            return
        self.keep(case, time(first), time(first + self.timed[case]))

    def first_pair(self, time, first, block):
        """(iterations more, seconds of the short run, of the long run), so many that the difference is no noise."""
        short, more = time(first), block
        while (long := time(first + more)) - short < self.seconds / 4 and more < MOST:
            more *= 4
        return more, short, long

    def keep(self, case, short, long):
        self.short.setdefault(case, []).append(short)
        self.long.setdefault(case, []).append(long)
        self.blocks.setdefault(case, []).append((long - short) / self.timed[case])

    def least(self, case):
        """NaN where the short runs were so disturbed that the long ones took no longer."""
        if case not in self.long:
            return min(self.blocks[case])
        seconds = (min(self.long[case]) - min(self.short[case])) / self.timed[case]
        return seconds if seconds > 0 else math.nan

    def median(self, case):
        return statistics.median(self.blocks[case])

    def seconds_of(self, case):
        return {"seconds_least": self.least(case), "seconds_median": self.median(case),
                "iterations_timed": self.timed[case], "num_blocks": len(self.blocks[case])}


def read_bytes_per_second(n, quick=False):
    """Threads -> speed of a plain read of n x n floats; of 8,192 x 8,192 if n is not 4,096."""
    n = 4096 if n == 4096 else 8192
    times = programs.benchmark("kernels_benchmark", f"--benchmark_filter=^read<float.*/{n}/",
                               f"--benchmark_min_time={0.05 if quick else 0.3}", "--benchmark_repetitions=3")
    return {threads: 4.0 * n * n / next(seconds for name, seconds in times.items() if name.startswith(title))
            for threads, title in ((1, "read<float>"), (2, "read<float, 2>"))}
