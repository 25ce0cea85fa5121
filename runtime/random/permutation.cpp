#include "runtime/random/permutation.hpp"
