#!/usr/bin/env python3
"""Time of training to a proven gap, kantor against PyTorch, each at its best setting.

usage: time_to_gap.py [--problem FILE] [--set KEY=VALUE].. [--gap 2e-3] [--quick] [--out FILE]

The d = 8 mixture of experiments/mixtures, unless told otherwise. Both get the same points and the same network
widths, one rank and one thread. A trial is a whole training: batch, peak learning rate, number of steps, over which
the rate warms up and decays. Each side tries the same grid of batches and rates, bisecting for the least number of
steps that reaches 0.9 of the gap with each of three seeds, unless it is slower than its best so far. Then the best of
each side runs in turns with fresh seeds, each in a process of its own.

kantor's network starts from the closed form for Gaussians of the sample's moments; "kantor, plain mlp" is without
that, the same network as PyTorch's.

The gap is (upper - dual) / |upper|. The dual value is that of the learned potential on all points, in double, by the
same function for both (the search does it in single). The upper value is the objective of a feasible plan from
Sinkhorn, run once.

Times: `training` is making the network and all steps, without what first use loads (libraries, code generators): for
PyTorch after some steps of another network, Adam fused; for kantor what `seconds.solve` holds besides the steps, with
the fit of the Gaussian closed form, and all steps at the pace of those after the first fifth.
`process` is from start to exit, with loading libraries and data, but without any dual value on all points.
"""
import argparse
import itertools
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import machine
import programs

programs.enter_pytorch()
import numpy  # noqa: E402  in the environment that has it
import torch  # noqa: E402

from pytorch_semi_dual import Training, dual_value, values_at  # noqa: E402

STEPS = [18, 25, 35, 50, 70, 100, 140, 200, 280, 400, 560, 800, 1120, 1600, 2240, 3200]
SEEDS = range(3)
MARGIN = 0.9  # of the gap that a setting must keep in the search, so that other seeds keep the gap itself
FRESH_SEEDS = range(10, 17)
WIDTH = [128, 128]


class Problem:
    """Points in double as kantor has them, epsilon, and the upper value."""

    def __init__(self, path, settings, folder):
        self.path, self.settings, self.folder = path, settings, folder
        words = [f"{key}={value}" for key, value in settings.items()]
        programs.call([programs.BUILD / "experiments/bench/export_points", path, folder, *words])
        self.x, self.y = (numpy.load(folder / f"{i}.npy") for i in (0, 1))
        solved = programs.run_kantor(path, folder / "sinkhorn", {
            **settings, "solver.name": "sinkhorn", "solver.sinkhorn.tolerance": 1e-4})
        self.epsilon, self.upper = solved.result["epsilon"], solved.result["objective"]

    def gap(self, f, dtype):
        return (self.upper - dual_value(f, self.x, self.y, self.epsilon, dtype)) / abs(self.upper)


class PyTorch:
    name = "PyTorch"

    def __init__(self, problem):
        self.problem = problem
        self.x, self.y = (torch.from_numpy(points.astype(numpy.float32)) for points in (problem.x, problem.y))
        Training(self.x, self.y, problem.epsilon, WIDTH, 64).run(20)  # warm

    def trial(self, batch, rate, steps, seed):
        """(seconds, gap), in this process."""
        start = time.perf_counter()
        training = Training(self.x, self.y, self.problem.epsilon, WIDTH, batch, rate, steps, True, seed)
        training.run(steps)
        seconds = time.perf_counter() - start
        return seconds, self.problem.gap(values_at(training.potential, self.x), torch.float32)

    def fresh_process(self, batch, rate, steps, seed):
        """(seconds of training, values of f)."""
        out = self.problem.folder / "f.npy"
        words = [sys.executable, Path(__file__).with_name("pytorch_semi_dual.py"), self.problem.folder / "0.npy",
                 self.problem.folder / "1.npy", "--epsilon", self.problem.epsilon, "--batch", batch, "--learning-rate",
                 rate, "--steps", steps, "--seed", seed, "--width", *WIDTH, "--fused", "--out", out]
        done = subprocess.run([str(word) for word in words], check=True, capture_output=True, text=True)
        return float(done.stdout.split()[3]), numpy.load(out)  # "140 steps in 0.08 s, .."


class Kantor:
    def __init__(self, problem, name, quadratic):
        self.problem, self.name, self.quadratic = problem, name, quadratic

    def fresh_process(self, batch, rate, steps, seed):
        run = programs.run_kantor(self.problem.path, self.problem.folder / "neural", {
            **self.problem.settings, **programs.STEPS_ONLY, "run.backend": "self", "run.threads": 1, "run.seed": seed,
            "solver.name": "neural", "solver.neural.network.width": WIDTH,
            "solver.neural.network.quadratic": self.quadratic, "solver.neural.batch": batch,
            "solver.neural.learning_rate": rate, "solver.neural.steps": steps,
            "solver.neural.log_every": max(1, steps // 5), "solver.neural.warmup_steps": min(100, steps // 10)})
        return run.training_seconds(batch), numpy.load(run.directory / "potentials/0.npy")

    def trial(self, **setting):
        seconds, f = self.fresh_process(**setting)
        return seconds, self.problem.gap(f, torch.float32)


def attempt(side, wanted, trials, **setting):
    """(longest seconds, whether every seed reached the gap); a seed that did not ends it."""
    longest = 0
    for seed in SEEDS:
        seconds, gap = side.trial(**setting, seed=seed)
        trials.append({**setting, "seed": seed, "seconds": seconds, "gap": gap})
        longest = max(longest, seconds)
        if gap > MARGIN * wanted:
            return longest, False
    return longest, True


def search(side, wanted, batches, rates):
    """All trials, and the fastest setting that reached the gap, or None."""
    trials, best, best_seconds = [], None, float("inf")
    for batch, rate in itertools.product(batches, rates):
        low, high = 0, len(STEPS)  # the least number of steps that is enough is STEPS[low .. high]
        while low < high:
            middle = (low + high) // 2
            setting = {"batch": batch, "rate": rate, "steps": STEPS[middle]}
            seconds, reached = attempt(side, wanted, trials, **setting)
            if reached:
                high = middle
                if seconds < best_seconds:
                    best, best_seconds = setting, seconds
            elif seconds > best_seconds:
                break  # slower and not there
            else:
                low = middle + 1
    return trials, best


def repeat(side, best, seed):
    """One training of the best setting in a process of its own."""
    start = time.perf_counter()
    seconds, f = side.fresh_process(**best, seed=seed)
    process = time.perf_counter() - start
    return {"seed": seed, "training": seconds, "process": process, "gap": side.problem.gap(f, torch.float64)}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--problem", type=Path, default=machine.ROOT / "experiments/mixtures/problem.toml")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="on top of the problem file")
    parser.add_argument("--gap", type=float, default=2e-3, help="relative")
    parser.add_argument("--ratio", type=float, default=3, help="how many times faster kantor should be")
    # What is likely best first: a fast trial cuts the others short.
    parser.add_argument("--batches", type=int, nargs="+", default=[128, 64, 256, 512])
    parser.add_argument("--rates", type=float, nargs="+", default=[3e-2, 1e-2, 1e-1], help="peak learning rates")
    machine.add_common_arguments(parser, "time_to_gap")
    arguments = parser.parse_args()
    programs.build("kantor", "export_points")
    torch.set_num_threads(1)
    batches, rates = arguments.batches, arguments.rates
    if arguments.quick:
        batches, rates = batches[:1], rates[:1]
    facts = {**machine.description(), "keep_memory": arguments.keep_memory, "torch": torch.__version__}
    with tempfile.TemporaryDirectory() as folder:
        problem = Problem(arguments.problem, dict(pair.split("=", 1) for pair in arguments.set), Path(folder))
        sides = [PyTorch(problem), Kantor(problem, "kantor", "true"), Kantor(problem, "kantor, plain mlp", "false")]
        found = {side.name: search(side, arguments.gap, batches, rates) for side in sides}
        repeats = {side.name: [] for side in sides}
        for seed, side in itertools.product(FRESH_SEEDS[:2] if arguments.quick else FRESH_SEEDS, sides):
            best = found[side.name][1]
            if best is not None:
                repeats[side.name].append(repeat(side, best, seed))

    rows, figures = [], {}
    for name, (trials, best) in found.items():
        if best is None:
            rows.append([name, *"------", f"least gap met {min(trial['gap'] for trial in trials):.1e}", "-"])
            continue
        medians = {key: statistics.median(run[key] for run in repeats[name]) for key in ("training", "process", "gap")}
        least = min(run["training"] for run in repeats[name])
        figures[name] = {**best, "training_least": least, "medians": medians, "repeats": repeats[name],
                         "trials": trials}
        rows.append([name, str(best["batch"]), f"{best['rate']:g}", str(best["steps"]), f"{least:.3f}",
                     f"{medians['training']:.3f}", f"{medians['process']:.2f}", f"{medians['gap']:.1e}",
                     f"{max(run['gap'] for run in repeats[name]):.1e}"])
    machine.print_table(["", "batch", "rate", "steps", "training, s: least", "median", "process, s",
                         "gap, median of seeds", "largest"], rows)
    if "PyTorch" in figures and "kantor" in figures:
        other, own = figures["PyTorch"], figures["kantor"]
        figures["ratio_least"] = other["training_least"] / own["training_least"]
        figures["ratio_median"] = other["medians"]["training"] / own["medians"]["training"]
        print(f"kantor trains {figures['ratio_least']:.1f} (least) and {figures['ratio_median']:.1f} (median) times "
              f"faster to a gap of {arguments.gap:g}; wanted >= {arguments.ratio:g}")
    machine.save(arguments.out, facts, {"problem": str(arguments.problem), "settings": arguments.set,
                                        "gap": arguments.gap, "upper_value": problem.upper, **figures})


if __name__ == "__main__":
    main()
