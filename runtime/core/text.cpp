#include "runtime/core/text.hpp"
