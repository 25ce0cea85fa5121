"""Times of kantor's Sinkhorn: seconds per full iteration, both potentials updated, of runs of different lengths."""
import shutil
import statistics
from pathlib import Path

import programs

STORAGES = ["streamed", "materialised", "absorbed"]
MOST = 4000  # iterations
FIRST = 20   # iterations of the short run; the absorbed kernel is made anew in the first ones

# Name, ranks, mpirun or not, settings.
ONE_THREAD = ("1 rank x 1 thread", 1, False, {"run.backend": "self", "run.threads": 1})
TWO_THREADS = ("1 rank x 2 threads", 1, False, {"run.backend": "self", "run.threads": 2})
THREAD_RANKS = ("2 thread ranks", 2, False, {"run.backend": "thread", "run.ranks": 2, "run.threads": 1})
MPI_ONE = ("mpirun -np 1", 1, True, {"run.backend": "mpi", "run.threads": 1})
MPI_RANKS = ("mpirun -np 2", 2, True, {"run.backend": "mpi", "run.threads": 1})
TWO_CORES = [THREAD_RANKS, TWO_THREADS, MPI_RANKS]


def run(problem, folder, layout, storage, iterations, settings=None):
    """A run of so many iterations, whatever its error. @param settings on top of the problem file."""
    _, ranks, is_mpi, own = layout
    return programs.run_kantor(problem, Path(folder) / "run", {
        "run.checkpoint.every_seconds": 0, **(settings or {}), **own, "solver.name": "sinkhorn",
        "solver.sinkhorn.storage": storage, "solver.sinkhorn.tolerance": 0,
        "solver.sinkhorn.max_iterations": iterations}, ranks if is_mpi else None)


class Iterations:
    """Seconds per iteration of any number of cases, measured in turns.

    A turn makes a short and a long run of a case; what the long one takes longer, over the iterations that it makes
    more, holds no set-up. The least is that of the least of the long and of the short runs, because the difference of
    one pair is also too small when something else disturbed the short run.
    """

    def __init__(self, folder, seconds):
        """@param seconds that the iterations of the long run take beyond those of the short one, about"""
        self.folder, self.seconds = Path(folder), seconds
        self.more, self.short, self.long = {}, {}, {}

    def turn(self, case, time, first=FIRST, block=10):
        """One more turn of a case; none for one whose runs take long.

        @param case  names what is timed
        @param time  time(iterations) makes a run, and returns its seconds
        @param first iterations of the short run
        @param block what the long one makes more is a multiple of it
        """
        if case not in self.more:
            self.more[case] = self.length(time, first, block)
        elif self.long[case][0] > 8 * self.seconds:
            return
        self.short.setdefault(case, []).append(time(first))
        self.long.setdefault(case, []).append(time(first + self.more[case]))

    def length(self, time, first, block):
        """How many more iterations take about so many seconds."""
        short, more = time(first), block
        while (seconds := time(first + more) - short) < self.seconds / 4 and more < MOST:
            more *= 4
        return block * max(1, round(min(MOST, more * self.seconds / max(seconds, self.seconds / 4)) / block))

    def least(self, case):
        return (min(self.long[case]) - min(self.short[case])) / self.more[case]

    def median(self, case):
        return statistics.median(b - a for a, b in zip(self.short[case], self.long[case])) / self.more[case]

    def seconds_of(self, case):
        return {"seconds_least": self.least(case), "seconds_median": self.median(case),
                "iterations_timed": self.more[case], "turns": len(self.long[case])}

    def turn_of_kantor(self, case, problem, layout, storage, settings=None):
        def time(iterations):
            done = run(problem, self.folder, layout, storage, iterations, settings)
            return done.result["seconds"]["solve"]
        self.turn(case, time)


def read_bytes_per_second(n, quick=False):
    """Threads -> speed of a plain read of n x n floats; of 8,192 x 8,192 if n is not 4,096."""
    n = 4096 if n == 4096 else 8192
    times = programs.benchmark("kernels_benchmark", f"--benchmark_filter=^read<float.*/{n}/",
                               f"--benchmark_min_time={0.05 if quick else 0.3}", "--benchmark_repetitions=3")
    return {threads: 4.0 * n * n / next(seconds for name, seconds in times.items() if name.startswith(title))
            for threads, title in ((1, "read<float>"), (2, "read<float, 2>"))}
