#include "runtime/data/moments.hpp"
