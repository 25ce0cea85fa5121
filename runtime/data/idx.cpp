#include "runtime/data/idx.hpp"
