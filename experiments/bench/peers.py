#!/usr/bin/env python3
"""Sinkhorn's iteration beside those of OTT-JAX, POT, KeOps and GeomLoss.

usage: peers.py [--points 4096 8192] [--dimensions 16 64] [--turns N] [--quick] [--out FILE]

Makes an environment of its own with the packages (pinned below), on top of that of launch/bootstrap.sh --pytorch. All
solve the same problems in float32 on all cores: Gaussian points, squared distances, uniform weights, epsilon 5 % of
the mean cost. First every program makes three iterations from potentials of 0, and these must be those of kantor in
double: that its answer is right and its iterations are counted alike (f and g both updated). Then all are timed in
turns; set-up and compilation drop out (sinkhorn_runs.py). Ways to do the same with one package (numpy or torch,
matrix or points, KeOps with or without GeomLoss) compete on the first problem; the faster goes on.

The speed of the absorbed form is compared to that of a plain read of as many bytes, measured in the same turns.
Exits with 1 if an answer differs.
"""
import argparse
import fcntl
import hashlib
import json
import math
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import machine
import programs
import sinkhorn_runs as runs

PACKAGES = ["jax==0.10.2", "jaxlib==0.10.2", "ott-jax==0.6.0", "POT==0.9.7.post1", "pykeops==2.3", "keopscore==2.3",
            "geomloss==0.3.1"]
# What the packages are called in the table, and the ways to use them (peer_worker.py) that compete.
LOG_DOMAIN = {"OTT-JAX": ["OTT-JAX, matrix", "OTT-JAX, points"], "POT log": ["POT log, numpy", "POT log, torch"],
              "KeOps": ["KeOps", "GeomLoss on KeOps"]}
SCALING = {"POT scaling": ["POT scaling, numpy", "POT scaling, torch"],
           "scaling by hand": ["scaling by hand, numpy", "scaling by hand, torch"]}
PACKAGE_GROUPS = {**LOG_DOMAIN, **SCALING}
LAZY = ("KeOps", "GeomLoss on KeOps")  # an iteration takes a second
ONE_BY_ONE, BY_TENS = {"first": 1, "block": 1}, {"first": 10, "block": 10}  # POT looks at its error in every tenth
NUM_CHECKED = 3  # iterations
EPSILON = 0.05   # of the mean cost
CODES = 2.0**-10  # epsilons, of an iteration's rounding of the kernel in 16 bits: nothing of it is left at the end
DUAL_TOLERANCE = 0.02  # GeomLoss: relative; it averages updates, and has not converged after so few


def environment():
    """The Python that has the packages."""
    subprocess.run([machine.ROOT / "launch/bootstrap.sh", "--pytorch"], check=True, stdin=subprocess.DEVNULL)
    pytorch = programs.pytorch_environment()
    venv = pytorch.with_name("peers-" + hashlib.sha256(" ".join(PACKAGES).encode()).hexdigest()[:8])
    with open(venv.with_name(".lock"), "w") as lock:  # bootstrap.sh's: two checkouts may want the same
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (venv / ".complete").exists():
            print(f"installing {' '.join(PACKAGES)} into {venv}", flush=True)
            subprocess.run([pytorch / "bin/python", "-m", "venv", venv], check=True)
            site = next(venv.glob("lib/python3*/site-packages"))
            (site / "pytorch.pth").write_text(f"{next(pytorch.glob('lib/python3*/site-packages'))}\n")
            subprocess.run([venv / "bin/python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check",
                            "--no-input", *PACKAGES], check=True, stdin=subprocess.DEVNULL)
            (venv / ".complete").touch()
    return venv


class PeerFailed(Exception):
    pass


class Peer:
    """A process with one package: it stays, so that it imports and compiles once."""

    def __init__(self, name, venv):
        cores = str(len(os.sched_getaffinity(0)))
        own = {"OMP_NUM_THREADS": cores, "MKL_NUM_THREADS": cores, "JAX_PLATFORMS": "cpu",
               "KEOPS_CACHE_FOLDER": str(venv / "keops")}
        # These two name another processor to OpenBLAS, and make numpy slower.
        kept = {key: value for key, value in os.environ.items() if key not in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE")}
        self.name, self.error = name, None
        self.process = subprocess.Popen([venv / "bin/python", Path(__file__).with_name("peer_worker.py"), name],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=kept | own)

    def ask(self, request):
        """Its answer; none from the first failure on, which `error` tells."""
        if self.error:
            return None
        try:
            print(json.dumps(request), file=self.process.stdin, flush=True)
            answer = json.loads(self.process.stdout.readline() or '{"error": "its process ended"}')
        except BrokenPipeError:
            answer = {"error": "its process ended"}
        self.error = answer.get("error")
        return None if self.error else answer

    def seconds(self, iterations):
        answer = self.ask({"iterations": iterations})
        if answer is None:
            raise PeerFailed
        return answer["seconds"]

    def end(self):
        self.process.communicate()  # closes its input, which ends it


class Problem:
    """Points on disk, epsilon, and kantor's iterates in double."""

    def __init__(self, n, d, folder):
        self.n, self.d, self.folder = n, d, Path(folder) / f"{n}-{d}"
        self.folder.mkdir()
        generator = np.random.default_rng(n + d)
        x = generator.normal(size=(n, d)).astype(np.float32)
        y = (0.8 * generator.normal(size=(n, d)) + 0.3).astype(np.float32)
        np.save(self.folder / "x.npy", x)
        np.save(self.folder / "y.npy", y)
        squares = [(points.astype(float) ** 2).sum(1) for points in (x, y)]
        mean_cost = squares[0].mean() + squares[1].mean() - 2 * x.mean(0, dtype=float) @ y.mean(0, dtype=float)
        self.epsilon = EPSILON * mean_cost
        # The logit's float32 rounding, taken as 4 units of its largest terms, over all iterations. In epsilons.
        self.tolerance = NUM_CHECKED * 4 * 2.0**-24 * (squares[0].max() + squares[1].max()) / self.epsilon
        self.file = programs.problem_file(self.folder, float(self.epsilon))
        self.truth, following = (self.iterate("streamed", count, {"run.precision": "float64"})
                                 for count in (NUM_CHECKED, NUM_CHECKED + 1))
        self.next_moves = self.distance(following)

    def iterate(self, storage, count, settings):
        done = runs.run(self.file, self.folder, runs.THREAD_RANKS, storage, count, settings)
        return [np.load(done.directory / "potentials" / f"{side}.npy") for side in (0, 1)]

    def distance(self, potentials):
        """The largest of any potential to the truth, with f of mean 0 and the constant taken to g. In epsilons."""
        (f, g), (true_f, true_g) = potentials, self.truth
        shift = f.mean() - true_f.mean()
        return float(max(np.abs(f - shift - true_f).max(), np.abs(g + shift - true_g).max()) / self.epsilon)

    def dual(self, potentials):
        return float(potentials[0].mean() + potentials[1].mean())

    def check(self, name, potentials):
        distance, dual, truth = self.distance(potentials), self.dual(potentials), self.dual(self.truth)
        tolerance = self.tolerance + (NUM_CHECKED * CODES if name == "absorbed16" else 0)
        agrees = abs(dual / truth - 1) <= DUAL_TOLERANCE if name == "GeomLoss on KeOps" else distance <= tolerance
        return {"distance": distance, "dual_value": dual, "relative": dual / truth - 1, "agrees": bool(agrees)}


def check_all(problem, peers):
    """Name -> its potentials after a few iterations against kantor's in double."""
    checks = {f"kantor {storage}": problem.check(storage, problem.iterate(storage, NUM_CHECKED, {}))
              for storage in runs.STORAGES}
    file = problem.folder / "potentials.npy"
    for peer in peers:
        if peer.ask({"load": str(problem.folder), "epsilon": problem.epsilon, "check": NUM_CHECKED,
                     "potentials": str(file)}) is not None:
            checks[peer.name] = problem.check(peer.name, np.load(file))
    return checks


def measure(problem, peers, arguments, folder):
    """(times of all, threads -> bytes per second of a plain read)"""
    times = runs.Iterations(folder, 0.3 if arguments.quick else 0.8)
    bandwidth = {}
    for _ in range(arguments.turns):
        for storage in runs.STORAGES:
            for layout in runs.TWO_CORES:
                times.turn_of_kantor((storage, layout[0]), problem.file, layout, storage)
        for peer in peers:
            try:
                times.turn(peer.name, peer.seconds, **(ONE_BY_ONE if peer.name in LAZY else BY_TENS))
            except PeerFailed:
                continue  # its error is in the table
        for threads, speed in runs.read_bytes_per_second(problem.n, arguments.quick).items():
            bandwidth[threads] = max(speed, bandwidth.get(threads, 0))
    return times, bandwidth


def fastest(cases, times):
    """(case, least seconds) of those that were timed; no case where none was."""
    timed = [case for case in cases if case in times.blocks and not math.isnan(times.least(case))]
    return min(((case, times.least(case)) for case in timed), key=lambda pair: pair[1], default=(None, float("nan")))


def ratios_of(problem, times, bandwidth):
    """[what, ratio, wanted]"""
    kantor = [case for case in times.blocks if isinstance(case, tuple)]
    best, seconds = fastest(kantor, times)
    forms = {storage: fastest([case for case in kantor if case[0] == storage], times)[1] for storage in runs.STORAGES}

    def of(group):
        return fastest([name for names in group.values() for name in names], times)

    log_peer, log_seconds = of(LOG_DOMAIN)
    ott = of({"": LOG_DOMAIN["OTT-JAX"]})[1]
    speed = {form: size * problem.n**2 / forms[form] for form, size in (("absorbed", 4.0), ("absorbed16", 2.0))}
    return [
        [f"fastest log-domain peer ({log_peer}) / kantor {best[0]}", log_seconds / seconds, 6],
        [f"POT scaling / kantor {best[0]}", of({"": SCALING["POT scaling"]})[1] / seconds, 2],
        [f"scaling by hand / kantor {best[0]}", of({"": SCALING["scaling by hand"]})[1] / seconds, None],
        ["OTT-JAX / kantor streamed", ott / forms["streamed"], 2 if problem.d <= 16 else 1.1],
        ["OTT-JAX / kantor materialised", ott / forms["materialised"], None],
        ["KeOps / kantor streamed", of({"": LOG_DOMAIN["KeOps"]})[1] / forms["streamed"], None],
        ["absorbed: its bytes per second / those of a plain read, 2 threads", speed["absorbed"] / bandwidth[2], 0.75],
        ["absorbed16: the same", speed["absorbed16"] / bandwidth[2], None]]


def print_problem(problem, checks, times, bandwidth, peers):
    print(f"\nn = m = {problem.n}, d = {problem.d}, epsilon = {problem.epsilon:.4g}. After {NUM_CHECKED} iterations "
          f"potentials may differ by {problem.tolerance:.1e} epsilon; one more iteration moves them by "
          f"{problem.next_moves:.1e}.")
    rows = []
    for case in times.blocks:
        is_kantor = isinstance(case, tuple)
        check = checks["kantor " + case[0] if is_kantor else case]
        agreed = f"dual {check['relative']:+.1e}" if case == "GeomLoss on KeOps" else f"{check['distance']:.1e}"
        rows.append([f"kantor {case[0]}, {case[1]}" if is_kantor else case, f"{1e3 * times.least(case):.2f}",
                     f"{1e3 * times.median(case):.2f}", agreed + ("" if check["agrees"] else "  DIFFERS")])
    rows += [[peer.name, "-", "-", peer.error] for peer in peers if peer.error]
    machine.print_table(["", "ms per iteration, least", "median", "distance"], rows)
    print("A plain read: " + ", ".join(f"{speed / 1e9:.1f} GB/s on {threads} thread{'s' * (threads > 1)}"
                                       for threads, speed in bandwidth.items()))
    machine.print_table(["ratio of least times", "", "wanted"], [
        [what, f"{ratio:.2f}", "" if wanted is None else f">= {wanted}"]
        for what, ratio, wanted in ratios_of(problem, times, bandwidth)])


def figures_of(problem, checks, times, bandwidth, peers):
    return {"n": problem.n, "d": problem.d, "epsilon": problem.epsilon, "tolerance": problem.tolerance,
            "next_iteration_moves": problem.next_moves, "checks": checks,
            "seconds": {" | ".join(case) if isinstance(case, tuple) else case: times.seconds_of(case)
                        for case in times.blocks if not math.isnan(times.least(case))},
            "read_bytes_per_second": bandwidth, "errors": {peer.name: peer.error for peer in peers if peer.error},
            "ratios": [{"what": what, "ratio": None if math.isnan(ratio) else ratio, "wanted": wanted}
                       for what, ratio, wanted in ratios_of(problem, times, bandwidth)]}


def keep_faster(peers, times):
    """Ends those that another way to use the same package has beaten."""
    kept = [fastest(names, times)[0] for names in PACKAGE_GROUPS.values()]
    for peer in peers:
        if peer.name not in kept:
            peer.end()
    return [peer for peer in peers if peer.name in kept]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--points", type=int, nargs="+", help="of each marginal; default 4096 8192, --quick 4096")
    parser.add_argument("--dimensions", type=int, nargs="+", help="default 16 64, --quick 16")
    parser.add_argument("--turns", type=int, help="of each program; default 4, --quick 2")
    machine.add_common_arguments(parser, "peers", uses_pytorch=False)
    arguments = parser.parse_args()
    arguments.turns = arguments.turns or (2 if arguments.quick else 4)
    sizes = arguments.points or ([4096] if arguments.quick else [4096, 8192])
    dimensions = arguments.dimensions or ([16] if arguments.quick else [16, 64])
    programs.build("kantor", "kernels_benchmark")
    facts = machine.description()
    peers = [Peer(name, VENV) for names in PACKAGE_GROUPS.values() for name in names]
    figures = []
    with tempfile.TemporaryDirectory() as folder:
        for n, d in ((n, d) for n in sizes for d in dimensions):
            problem = Problem(n, d, folder)
            checks = check_all(problem, peers)
            times, bandwidth = measure(problem, peers, arguments, folder)
            print_problem(problem, checks, times, bandwidth, peers)
            figures.append(figures_of(problem, checks, times, bandwidth, peers))
            peers = keep_faster(peers, times)
    for peer in peers:
        peer.end()
    machine.save(arguments.out, facts, {"packages": PACKAGES, "problems": figures})
    differing = [name for row in figures for name, check in row["checks"].items() if not check["agrees"]]
    sys.exit(f"other answers than kantor's in double: {', '.join(differing)}" if differing else 0)


if __name__ == "__main__":
    VENV = environment()
    if Path(sys.prefix) != VENV:
        os.execv(VENV / "bin/python", [VENV / "bin/python", *sys.argv])
    import numpy as np  # of that environment
    main()
