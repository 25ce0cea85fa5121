#include "runtime/core/log.hpp"
