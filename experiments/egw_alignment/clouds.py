#!/usr/bin/env python3
"""Two clouds with a known correspondence: clouds.py FOLDER [--points N] [--noise S]. Needs numpy.

x.npy [N, 3] lies on a rolled sheet, dense at one end and one rim, so that no isometry but the identity maps it to itself. y.npy
[N, 5] holds the same points in another order, under an orthogonal map of R^3 into R^5, moved, with noise of standard
deviation S in all five coordinates. order.npy [N] says which row of x a row of y is.
"""
import argparse
from pathlib import Path

import numpy


def rolled_sheet(n, random):
    along = random.uniform(size=n) ** 1.6
    across = random.uniform(size=n) ** 2
    angle = 1.5 * numpy.pi * along
    radius = 0.4 + 0.6 * along
    return numpy.stack([radius * numpy.cos(angle), radius * numpy.sin(angle), (0.5 + along) * across], axis=1)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--points", type=int, default=1000)
    parser.add_argument("--noise", type=float, default=0.01)
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    random = numpy.random.default_rng(1)
    x = rolled_sheet(arguments.points, random)
    axes, _ = numpy.linalg.qr(random.normal(size=(5, 3)))
    order = random.permutation(arguments.points)
    y = x[order] @ axes.T + random.normal(size=5) + arguments.noise * random.normal(size=(arguments.points, 5))
    for name, array in (("x", x), ("y", y), ("order", order)):
        numpy.save(arguments.folder / f"{name}.npy", array)


if __name__ == "__main__":
    main()
