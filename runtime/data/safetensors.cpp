#include "runtime/data/safetensors.hpp"
