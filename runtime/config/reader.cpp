#include "runtime/config/reader.hpp"
