#include "runtime/data/generators.hpp"
