#include "runtime/data/marginal.hpp"
