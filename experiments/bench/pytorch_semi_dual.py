#!/usr/bin/env python3
"""The neural semi-dual in PyTorch, as one would write it: what kantor's step is measured against.

usage: pytorch_semi_dual.py X.npy Y.npy --epsilon E [options]; see --help

Maximises J(f) = mean_i f(x_i) + mean_j f^{c,eps}(y_j) over a network f, with the soft transform
f^{c,eps}(y) = -eps log mean_i exp((f(x_i) - |x_i - y|^2) / eps). By Adam, on batches drawn from both clouds.
Shapes: N points x, M points y, B points of each in a batch, D dimensions.
"""
import argparse
import math
import os
import time

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("MKL_NUM_THREADS", "1")
import numpy  # noqa: E402  after the environment that it reads
import torch  # noqa: E402


class Potential(torch.nn.Module):
    """f(x) = epsilon * mlp((x - mean) / deviation): [B, D] -> [B]."""

    def __init__(self, x, width, epsilon):
        super().__init__()
        self.register_buffer("mean", x.mean(0))
        self.register_buffer("deviation", x.std(0))
        self.epsilon = epsilon
        sizes = [x.shape[1], *width]
        layers = []
        for fan_in, fan_out in zip(sizes, sizes[1:]):
            layers += [torch.nn.Linear(fan_in, fan_out), torch.nn.SiLU()]
        self.mlp = torch.nn.Sequential(*layers, torch.nn.Linear(sizes[-1], 1))

    def forward(self, x):
        return self.epsilon * self.mlp((x - self.mean) / self.deviation).squeeze(1)


def log_kernel(x, y, epsilon):
    """-|x_i - y_j|^2 / eps in expanded form: [len(y), len(x)] by one matrix product, without gradient."""
    with torch.no_grad():
        x_squares, y_squares = x.square().sum(1), y.square().sum(1, keepdim=True)
        return torch.addmm(-x_squares / epsilon, y, x.T, alpha=2 / epsilon).sub_(y_squares / epsilon)


def soft_transform(f, x, y, epsilon):
    """f^{c,eps} at the points y: [len(y)]."""
    logits = f / epsilon + log_kernel(x, y, epsilon)
    return -epsilon * (torch.logsumexp(logits, dim=1) - math.log(len(x)))


class Shuffled:
    """Batches of rows, pass after pass, each pass in an order of its own."""

    def __init__(self, points, batch):
        self.points, self.batch = points, batch
        self.place = len(points)

    def next(self):
        if self.place + self.batch > len(self.points):
            self.order = torch.randperm(len(self.points))
            self.place = 0
        rows = self.order[self.place:self.place + self.batch]
        self.place += self.batch
        return self.points[rows]


class Training:
    """@param x, y [N, D], [M, D] float32, resident."""

    def __init__(self, x, y, epsilon, width, batch, learning_rate=1e-3, steps=None, fused=False, seed=0):
        torch.manual_seed(seed)
        self.epsilon, self.learning_rate, self.steps = epsilon, learning_rate, steps
        self.potential = Potential(x, width, epsilon)
        self.optimiser = torch.optim.Adam(self.potential.parameters(), lr=learning_rate, fused=fused)
        self.x, self.y = Shuffled(x, batch), Shuffled(y, batch)
        self.num_done = 0

    def schedule(self):
        """With a number of steps: linear warm-up, then a cosine to 1 % of the peak."""
        if self.steps is None:
            return
        warm_up = min(100, self.steps // 10)
        if self.num_done < warm_up:
            factor = (self.num_done + 1) / warm_up
        else:
            progress = (self.num_done - warm_up) / max(1, self.steps - warm_up)
            factor = 0.01 + 0.99 * (1 + math.cos(math.pi * progress)) / 2
        for group in self.optimiser.param_groups:
            group["lr"] = self.learning_rate * factor

    def step(self):
        self.schedule()
        x, y = self.x.next(), self.y.next()
        f = self.potential(x)
        loss = -(f.mean() + soft_transform(f, x, y, self.epsilon).mean())
        self.optimiser.zero_grad()
        loss.backward()
        self.optimiser.step()
        self.num_done += 1
        return loss

    def run(self, steps):
        """Seconds that the steps took."""
        start = time.perf_counter()
        for _ in range(steps):
            self.step()
        return time.perf_counter() - start


@torch.no_grad()
def dual_value(f, x, y, epsilon, dtype=torch.float64):
    """J on all points. @param f [N] @param x, y [N, D], [M, D]; arrays or tensors."""
    f, x, y = (torch.as_tensor(values, dtype=dtype) for values in (f, x, y))
    g = torch.cat([soft_transform(f, x, block, epsilon) for block in y.split(512)])
    return (f.mean() + g.mean()).item()


@torch.no_grad()
def values_at(potential, points):
    """f at all points, [N]."""
    return torch.cat([potential(block) for block in points.split(4096)])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("x", help=".npy, [N, D]")
    parser.add_argument("y", help=".npy, [M, D]")
    parser.add_argument("--epsilon", type=float, required=True, help="in units of the squared distance")
    parser.add_argument("--batch", type=int, default=512)
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--width", type=int, nargs="+", default=[128, 128], help="hidden layers")
    parser.add_argument("--learning-rate", type=float, default=1e-3, help="peak")
    parser.add_argument("--fused", action="store_true", help="Adam in one kernel; PyTorch's default is not")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", help="write f at all x there, .npy, instead of printing the dual value")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    x, y = (torch.from_numpy(numpy.load(path).astype(numpy.float32)) for path in (arguments.x, arguments.y))
    Training(x, y, arguments.epsilon, arguments.width, arguments.batch).run(3)  # what first use loads, some 0.5 s
    start = time.perf_counter()
    training = Training(x, y, arguments.epsilon, arguments.width, arguments.batch, arguments.learning_rate,
                        arguments.steps, arguments.fused, arguments.seed)
    training.run(arguments.steps)
    seconds = time.perf_counter() - start
    f = values_at(training.potential, x)
    print(f"{arguments.steps} steps in {seconds:.4f} s, {1e3 * seconds / max(1, arguments.steps):.3f} ms each")
    if arguments.out:
        numpy.save(arguments.out, f.double().numpy())
    else:
        print(f"dual value {dual_value(f, x, y, arguments.epsilon):.9g}")


if __name__ == "__main__":
    main()
