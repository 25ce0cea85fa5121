#include "runtime/core/thread_pool.hpp"
