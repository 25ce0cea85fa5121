#include "runtime/kernels/cost_matrix.hpp"
