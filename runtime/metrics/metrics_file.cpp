#include "runtime/metrics/metrics_file.hpp"
