#!/usr/bin/env python3
"""One other package that solves a problem of peers.py: peer_worker.py PEER, in the environment that peers.py makes.

Reads lines of JSON, answers each with one line. {"load": FOLDER, "epsilon": E, "check": K, "potentials": FILE}: takes
the points x.npy and y.npy, makes K iterations and writes both potentials, in kantor's convention.
{"iterations": K}: makes K from the start and answers with the seconds it took. Costs are squared distances, weights
uniform, everything in float32; an iteration is a full one, f and g both updated, from potentials of 0.

kantor updates f first. OTT-JAX and POT update g first, so they get the problem turned round: their g is f. Their
potentials, and the logarithms of the scalings, hold epsilon times the logarithm of the weights, kantor's do not.
"""
import json
import os
import sys
import time

import numpy as np


def without_weights(f, g, epsilon):
    return f + epsilon * np.log(len(f)), g + epsilon * np.log(len(g))


def squared_distances(x, y):
    return (x * x).sum(1)[:, None] + (y * y).sum(1)[None, :] - 2 * (x @ y.T)


class OttJax:
    """Log domain, compiled. `stored`: the cost matrix is an argument; otherwise a PointCloud without batch_size."""

    def __init__(self, stored):
        import jax
        from ott.geometry import geometry, pointcloud
        from ott.problems.linear import linear_problem
        from ott.solvers.linear import sinkhorn
        self.jax, self.sinkhorn, self.compiled = jax, sinkhorn, {}
        self.problem = lambda x, y, epsilon: linear_problem.LinearProblem(
            geometry.Geometry(cost_matrix=jax.numpy.asarray(squared_distances(x, y)), epsilon=epsilon) if stored
            else pointcloud.PointCloud(x, y, epsilon=epsilon))

    def load(self, x, y, epsilon):
        self.epsilon, self.loaded = epsilon, self.problem(y, x, epsilon)

    def run(self, iterations):
        if iterations not in self.compiled:  # the first call of prepare()
            self.compiled[iterations] = self.jax.jit(self.sinkhorn.Sinkhorn(
                lse_mode=True, threshold=-1.0, min_iterations=iterations, max_iterations=iterations,
                inner_iterations=iterations))
        out = self.jax.block_until_ready(self.compiled[iterations](self.loaded))
        return without_weights(np.asarray(out.g), np.asarray(out.f), self.epsilon)

    prepare = run


class Pot:
    """As it is shipped, with its look at the error every tenth iteration. Its numbers are float32 arrays or tensors."""

    def __init__(self, method, backend):
        from ot import bregman
        self.solve = {"log": bregman.sinkhorn_log, "plain": bregman.sinkhorn_knopp}[method]
        self.convert = float32_arrays if backend == "numpy" else torch_tensors()

    def load(self, x, y, epsilon):
        self.epsilon = epsilon
        self.b, self.a, self.cost = (self.convert(array) for array in (
            np.full(len(y), 1 / len(y)), np.full(len(x), 1 / len(x)), squared_distances(y, x)))

    def run(self, iterations):
        _, log = self.solve(self.b, self.a, self.cost, self.epsilon, numItermax=iterations, stopThr=0, warn=False,
                            log=True)
        return without_weights(*(self.epsilon * np.log(np.asarray(log[name], np.float64)) for name in "vu"),
                               self.epsilon)

    def prepare(self, iterations):
        pass


class Scaling:
    """u = a / K v, v = b / K^T u and nothing else: the scaling form written by hand, without POT's checks."""

    def __init__(self, backend):
        self.convert = float32_arrays if backend == "numpy" else torch_tensors()

    def load(self, x, y, epsilon):
        self.epsilon = epsilon
        self.kernel = self.convert(np.exp(-squared_distances(x, y) / epsilon))
        self.a, self.b, self.ones = (self.convert(array) for array in (
            np.full(len(x), 1 / len(x)), np.full(len(y), 1 / len(y)), np.full(len(y), 1 / len(y))))

    def run(self, iterations):
        v = self.ones
        for _ in range(iterations):
            u = self.a / (self.kernel @ v)
            v = self.b / (self.kernel.T @ u)
        return without_weights(*(self.epsilon * np.log(np.asarray(side, np.float64)) for side in (u, v)),
                               self.epsilon)

    def prepare(self, iterations):
        pass


class KeOps:
    """The log-domain iteration on LazyTensors: logsumexp over pairs that are never stored."""

    def __init__(self):
        from pykeops.torch import LazyTensor
        self.lazy, self.convert = LazyTensor, torch_tensors()

    def load(self, x, y, epsilon):
        self.epsilon, self.x, self.y = epsilon, self.convert(x), self.convert(y)

    def soft_min(self, x, y, g):
        x, y = self.lazy(x[:, None, :]), self.lazy(y[None, :, :])
        logits = self.lazy(g[None, :, None] / self.epsilon) - ((x - y) ** 2).sum(-1) / self.epsilon
        return self.epsilon * (np.log(len(g)) - logits.logsumexp(dim=1).view(-1))

    def run(self, iterations):
        f, g = self.x[:, 0] * 0, self.y[:, 0] * 0
        for _ in range(iterations):
            f = self.soft_min(self.x, self.y, g)
            g = self.soft_min(self.y, self.x, f)
        return f.numpy(), g.numpy()

    def prepare(self, iterations):
        pass


class GeomLoss:
    """SamplesLoss on KeOps. It has a schedule of epsilons instead of a number of iterations: here one that begins a
    thousandth above the last epsilon. Its iterations update f and g from the same pair and average, so that potentials
    agree only when they have converged. p = 2 is half the squared distance."""

    def __init__(self):
        from geomloss import SamplesLoss
        self.loss, self.convert = SamplesLoss, torch_tensors()

    def load(self, x, y, epsilon):
        self.blur = (epsilon / 2) ** 0.5
        self.points = [self.convert(array) for array in (
            np.full(len(x), 1 / len(x)), x, np.full(len(y), 1 / len(y)), y)]

    def run(self, iterations):
        """The first and the last step of its schedule are extra, and drop out of the difference of two runs."""
        loss = self.loss("sinkhorn", p=2, blur=self.blur, diameter=self.blur * np.exp(1e-3), debias=False,
                         scaling=np.exp(-1e-3 / iterations), potentials=True, backend="online")
        f, g = loss(*self.points)
        return 2 * f.numpy().reshape(-1), 2 * g.numpy().reshape(-1)

    def prepare(self, iterations):
        pass


def float32_arrays(array):
    return np.ascontiguousarray(array, np.float32)


def torch_tensors():
    import torch
    torch.set_num_threads(len(os.sched_getaffinity(0)))
    return lambda array: torch.from_numpy(float32_arrays(array))


# Name -> the way it is made.
PEERS = {
    "OTT-JAX, matrix": lambda: OttJax(stored=True),
    "OTT-JAX, points": lambda: OttJax(stored=False),
    "POT log, numpy": lambda: Pot("log", "numpy"),
    "POT log, torch": lambda: Pot("log", "torch"),
    "KeOps": KeOps,
    "GeomLoss on KeOps": GeomLoss,
    "POT scaling, numpy": lambda: Pot("plain", "numpy"),
    "POT scaling, torch": lambda: Pot("plain", "torch"),
    "scaling by hand, numpy": lambda: Scaling("numpy"),
    "scaling by hand, torch": lambda: Scaling("torch"),
}


def load(peer, request):
    peer.load(*(np.load(f"{request['load']}/{name}.npy").astype(np.float32) for name in "xy"), request["epsilon"])
    np.save(request["potentials"], np.stack([np.asarray(side, np.float64) for side in peer.run(request["check"])]))
    return {}


def measure(peer, request):
    peer.prepare(request["iterations"])
    start = time.perf_counter()
    peer.run(request["iterations"])
    return {"seconds": time.perf_counter() - start}


def main():
    answers = os.fdopen(os.dup(1), "w")  # packages print on standard output: that goes to standard error
    os.dup2(2, 1)
    peer = None
    for line in sys.stdin:
        request = json.loads(line)
        try:
            peer = peer or PEERS[sys.argv[1]]()
            answer = load(peer, request) if "load" in request else measure(peer, request)
        except Exception as error:  # whatever keeps a package from working here is a result
            answer = {"error": f"{type(error).__name__}: {error}".strip().split("\n")[0]}
        print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    main()
