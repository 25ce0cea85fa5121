#pragma once

#include <cstdint>
#include <vector>

#include "runtime/data/generators.hpp"

namespace kantor::data {

/// Square images with the spectrum of natural ones, about 1 of variance per pixel, the same up to
/// the blur for the same seed. The blur, with mirrored borders, is diagonal in the cosine basis
/// with factors in (0, 1]: a positive definite map, the gradient of a convex function, so that no
/// coupling of sharp and blurred images is cheaper than the identity for squared distances.
/// @param points [n, D] standard normals. @return [n, D], D = side x side, row by row.
std::vector<double> random_field(const GeneratorConfig& config, std::vector<double> points);

/// Whether D is the number of pixels of a square image.
bool is_square(std::int64_t d);

}  // namespace kantor::data
