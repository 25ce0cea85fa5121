#pragma once

#include <cstddef>

namespace kantor::test {

/// The most memory that operator new had handed out at once since this object was made, beyond
/// what was handed out then. The test program counts every allocation.
class AllocationPeak {
 public:
  AllocationPeak();
  std::size_t bytes() const;

 private:
  std::size_t start_;
};

}  // namespace kantor::test
