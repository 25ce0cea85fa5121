"""Images of an idx file, blurred: blur_images.py IN.gz OUT.npy SIGMA. Needs numpy.

Gaussian blur of SIGMA pixels with mirrored borders, as that of the generator random_field: diagonal in the cosine basis
with factors in (0, 1], thus a positive definite map.
"""
import gzip
import struct
import sys

import numpy


def cosine_basis(side):
    """Orthonormal, a row for each frequency."""
    place = numpy.arange(side) + 0.5
    basis = numpy.cos(numpy.pi / side * numpy.outer(numpy.arange(side), place)) * numpy.sqrt(2 / side)
    basis[0] /= numpy.sqrt(2)
    return basis


def blur(images, sigma):
    """@param images [n, side, side]"""
    side = images.shape[-1]
    basis = cosine_basis(side)
    factors = numpy.exp(-(numpy.pi * sigma / side * numpy.arange(side)) ** 2 / 2)
    smooth = ((basis.T * factors) @ basis).astype(images.dtype)  # along one axis
    return smooth @ images @ smooth


def main():
    source, target, sigma = sys.argv[1], sys.argv[2], float(sys.argv[3])
    data = gzip.open(source).read()
    _, n, height, width = struct.unpack(">4i", data[:16])
    images = numpy.frombuffer(data, numpy.uint8, offset=16).reshape(n, height, width).astype(numpy.float32) / 255
    numpy.save(target, blur(images, sigma).reshape(n, height * width))


main()
