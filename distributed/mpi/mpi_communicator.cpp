#include "distributed/communicator.hpp"
