#include "runtime/random/philox.hpp"
