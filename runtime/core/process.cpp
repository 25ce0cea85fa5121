#include "runtime/core/process.hpp"
