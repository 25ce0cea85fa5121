#include "runtime/kernels/soft_min.hpp"
