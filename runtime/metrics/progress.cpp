#include "runtime/metrics/progress.hpp"
