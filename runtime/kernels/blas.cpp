#include "runtime/kernels/blas.hpp"
