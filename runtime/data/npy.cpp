#include "runtime/data/npy.hpp"
