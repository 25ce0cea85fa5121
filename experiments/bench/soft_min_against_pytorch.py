#!/usr/bin/env python3
"""The soft-min reduction against PyTorch: soft_min_against_pytorch.py [--quick] [--out FILE]

4,096 x 4,096 points, float32, one thread, squared Euclidean cost; in turns, the least time of each. PyTorch in two
forms: torch.cdist and its square, and the expanded form |x|^2 + |y|^2 - 2 <x, y> by one matrix product, then logsumexp.
  forward   the N soft minima
  weights   soft minima and column weights sum_j b_j P_ij: PyTorch by backward(), kantor in the same pass
kantor's figures are those of kernels_benchmark: `forward`, `weights`, and `panel_gemm`, the BLAS product alone.
"""
import argparse
import time

import machine
import programs

programs.enter_pytorch()
import torch  # noqa: E402  in the environment that has it

from pytorch_semi_dual import log_kernel  # noqa: E402

NUM_POINTS = 4096
DIMENSIONS = [2, 16, 64, 784]
EPSILON = 0.1
KERNELS = {"forward": "forward<float>", "weights": "weights<float, CostKind::sqeuclidean>",
           "gemm": "panel_gemm<float>"}
WANTED = 4  # times PyTorch's cdist and logsumexp, up to D = 64


def cdist_log_kernel(x, y, epsilon):
    with torch.no_grad():
        return torch.cdist(y, x).square_().div_(-epsilon)


def soft_min(kernel_of, f, x, y):
    return -EPSILON * torch.logsumexp(f / EPSILON + kernel_of(x, y, EPSILON), dim=1)


def pytorch_times(d, repetitions):
    """Name -> least seconds."""
    torch.manual_seed(1)
    x, y = (torch.randn(NUM_POINTS, d) / d**0.5 for _ in range(2))
    f = torch.randn(NUM_POINTS) / d**0.5
    times = {}

    def measure(name, call):
        for _ in range(repetitions):
            start = time.perf_counter()
            call()
            times[name] = min(time.perf_counter() - start, times.get(name, float("inf")))

    for form, kernel_of in (("cdist", cdist_log_kernel), ("expanded", log_kernel)):
        with torch.no_grad():
            measure(f"{form}, forward", lambda: soft_min(kernel_of, f, x, y))
        leaf = f.clone().requires_grad_()
        measure(f"{form}, weights", lambda: soft_min(kernel_of, leaf, x, y).mean().backward())
    return times


def kantor_times(d, quick):
    pattern = "^(" + "|".join(KERNELS.values()) + f")/{NUM_POINTS}/{d}$"
    times = programs.benchmark("kernels_benchmark", f"--benchmark_filter={pattern}",
                               f"--benchmark_min_time={0.02 if quick else 0.1}")
    return {name: times[f"{title}/{NUM_POINTS}/{d}"] for name, title in KERNELS.items()}


def keep_least(times, new):
    for name, seconds in new.items():
        times[name] = min(seconds, times.get(name, seconds))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    machine.add_common_arguments(parser, "soft_min_against_pytorch")
    arguments = parser.parse_args()
    programs.build("kernels_benchmark")
    torch.set_num_threads(1)
    facts = {**machine.description(), "keep_memory": arguments.keep_memory, "torch": torch.__version__}
    rows, figures = [], []
    for d in DIMENSIONS:
        times = {}
        for _ in range(2 if arguments.quick else 6):
            keep_least(times, pytorch_times(d, 2))
            keep_least(times, kantor_times(d, arguments.quick))
        for output in ("forward", "weights"):
            ratio = times[f"cdist, {output}"] / times[output]
            expanded = times[f"expanded, {output}"] / times[output]
            rows.append([str(d), output, f"{1e3 * times[f'cdist, {output}']:.1f}",
                         f"{1e3 * times[f'expanded, {output}']:.1f}", f"{1e3 * times[output]:.1f}",
                         f"{1e3 * times['gemm']:.1f}", f"{ratio:.1f}", f"{expanded:.1f}",
                         f">= {WANTED}" if d <= 64 else ""])
            figures.append({"d": d, "output": output, "ratio_cdist": ratio, "ratio_expanded": expanded,
                            "seconds": times})
    machine.print_table(["d", "output", "cdist ms", "expanded ms", "kantor ms", "product alone ms", "cdist / kantor",
                         "expanded / kantor", "wanted"], rows)
    machine.save(arguments.out, facts, {"num_points": NUM_POINTS, "settings": figures})


if __name__ == "__main__":
    main()
