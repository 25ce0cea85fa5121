#include "runtime/config/value.hpp"
