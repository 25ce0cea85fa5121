#!/usr/bin/env python3
"""Images and the same images under two random orthogonal maps: turn.py IN.gz OUT_FOLDER [--points N]. Needs numpy.

Writes x.npy (images of the idx file, grey values over 255, one row each, the first N) and u.npy, v.npy, which are x.npy
under maps U and V of the 784 coordinates. All in float64: a map rounded to float32 is not orthogonal to 1e-9.
"""
import argparse
import gzip
from pathlib import Path

import numpy


def images(path, count):
    data = gzip.decompress(Path(path).read_bytes())
    _, n, height, width = numpy.frombuffer(data[:16], ">u4")
    pixels = numpy.frombuffer(data, numpy.uint8, offset=16).reshape(int(n), int(height * width))
    return pixels[:count] / 255.0


def orthogonal_map(d, seed):
    """Of the uniform law (Haar): Q of a Gaussian matrix, with the signs of R's diagonal."""
    q, r = numpy.linalg.qr(numpy.random.default_rng(seed).normal(size=(d, d)))
    return q * numpy.sign(numpy.diag(r))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("images")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--points", type=int, default=1000)
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    x = images(arguments.images, arguments.points)
    numpy.save(arguments.folder / "x.npy", x)
    for seed, name in ((1, "u"), (2, "v")):
        numpy.save(arguments.folder / f"{name}.npy", x @ orthogonal_map(x.shape[1], seed))


if __name__ == "__main__":
    main()
