#pragma once

#include <memory>

#include "distributed/nccl/nccl.hpp"

namespace kantor::test {

/// The MPI communicator that all NCCL communicators of this program stand on.
Communicator& host();

/// Collective.
std::unique_ptr<Communicator> make_nccl(const NcclOptions& options = {});

/// Sets a variable that the look-alike reads, for as long as it lives.
class FakeSetting {
 public:
  FakeSetting(const char* variable, int value);
  ~FakeSetting();
  FakeSetting(const FakeSetting&) = delete;
  FakeSetting& operator=(const FakeSetting&) = delete;

 private:
  const char* variable_;
};

}  // namespace kantor::test
